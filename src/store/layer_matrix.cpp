#include "store/layer_matrix.hpp"

#include "store/column_visitors.hpp"

#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {
namespace {

struct Entry {
  std::int32_t layer = 0;
  std::string component;
  LayerComponentMatrix::Cell cell;
};

/// A sum is unknown if a part of it is unknown.
constexpr const char* kCells =
    "SELECT layer, (SELECT name FROM names n WHERE n.run_key = m.run_key AND "
    "n.name_key = m.component), sum(count), sum(duration_ns), "
    "CASE WHEN count(energy_j) = count(*) THEN sum(energy_j) END, "
    "CASE WHEN count(dynamic_energy_j) = count(*) THEN sum(dynamic_energy_j) END, "
    "CASE WHEN count(flops) = count(*) THEN sum(flops) END, "
    "CASE WHEN count(bytes) = count(*) THEN sum(bytes) END "
    "FROM component_metrics m WHERE run_key = ?1 AND ifnull(phase = ?2, 1) "
    "GROUP BY layer, component ORDER BY min(position)";

constexpr auto kCellColumns = [](auto& column, auto& row) {
  auto& [layer, component, cell] = row;
  column.index("layer", layer);
  column("component", component);
  column("count", cell.count);
  column("duration", cell.duration);
  column("energy", cell.energy);
  column("dynamic_energy", cell.dynamic_energy);
  column("flops", cell.flops);
  column("bytes", cell.bytes);
};

template <class T>
std::size_t index_of(const std::vector<T>& list, const T& value) {
  return static_cast<std::size_t>(std::ranges::find(list, value) - list.begin());
}

}  // namespace

std::optional<LayerComponentMatrix> read_layer_components(SQLite::Database& database,
                                                          std::string_view run_id,
                                                          std::optional<Phase> phase) {
  SQLite::Statement key(database, "SELECT run_key FROM runs WHERE run_id = ?");
  key.bind(1, std::string{run_id});
  if (!key.executeStep()) {
    return std::nullopt;
  }
  SQLite::Statement select(database, kCells);
  select.bind(1, key.getColumn(0).getInt64());
  if (phase) {
    select.bind(2, std::string{to_string(*phase)});
  }
  const std::vector<Entry> entries = read_rows<Entry>(select, kCellColumns);
  LayerComponentMatrix matrix;
  for (const Entry& entry : entries) {
    if (index_of(matrix.layers, entry.layer) == matrix.layers.size()) {
      matrix.layers.push_back(entry.layer);
    }
    if (index_of(matrix.components, entry.component) == matrix.components.size()) {
      matrix.components.push_back(entry.component);
    }
  }
  std::ranges::sort(matrix.layers);
  matrix.cells.resize(matrix.layers.size() * matrix.components.size());
  for (const Entry& entry : entries) {
    matrix.cells[index_of(matrix.layers, entry.layer) * matrix.components.size() +
                 index_of(matrix.components, entry.component)] = entry.cell;
  }
  return matrix;
}

}  // namespace enprof
