#include "report/run_csv.hpp"

#include "model/run_fields.hpp"
#include "report/csv_table.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// One row a fact: a run has more of them than a table wants columns.
class CsvFacts : public FieldKinds<CsvFacts> {
 public:
  explicit CsvFacts(std::string_view run_id) { table_.begin_rows_with(run_id); }

  template <class Member>
  void operator()(FieldName name, const Member& value) {
    begin<Member>(name).add(value);
  }
  void text(FieldName name, std::string_view value) {
    begin<std::string>(name).text_or_absent(value);
  }
  void derived(FieldName name, const auto& make) {
    if constexpr (std::is_same_v<decltype(make()), std::string>) {
      text(name, make());
    } else {
      (*this)(name, make());
    }
  }
  void list(FieldName name, const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      text(name, value);
    }
  }
  template <class Row>
  void group(FieldName name, const std::optional<Row>& row, const auto& fields) {
    if (row) {
      prefixed(name.in_csv, *row, fields);
    }
  }
  /// Facts whose names begin with the name of what they belong to.
  void prefixed(std::string_view prefix, const auto& row, const auto& fields) {
    prefix_ = std::string{prefix} + "_";
    fields(*this, row);
    prefix_.clear();
  }

  [[nodiscard]] CsvTable take() { return std::move(table_); }

 private:
  template <class Member>
  CsvTable& begin(FieldName name) {
    return table_.row().add(
        fmt::format("{}{}{}", prefix_, name.in_csv, kUnitsForPeople.of<Member>()));
  }

  CsvTable table_{"run_id", "key", "value"};
  std::string prefix_;
};

CsvTable facts(const ProfiledRun& run) {
  CsvFacts facts(run.run_id);
  kRunFields(facts, run);
  kPowerFields(facts, run.power);
  if (run.values.every > 0) {
    facts.prefixed("values", run.values, kSampledValuesFields);
  }
  return facts.take();
}

/// The same facts as columns, for tables with one row a run. Each run has the same columns.
class CsvColumns : public FieldKinds<CsvColumns> {
 public:
  template <class Member>
  void operator()(FieldName name, const Member& value) {
    if (is_header_) {
      table_.add(fmt::format("{}{}{}", prefix_, name.in_csv, kUnitsForPeople.of<Member>()));
    } else if (is_absent_) {
      table_.absent();
    } else {
      table_.add(value);
    }
  }
  void text(FieldName name, std::string_view value) {
    (*this)(name, value.empty() ? std::nullopt : std::optional{std::string{value}});
  }
  void derived(FieldName name, const auto& make) {
    if constexpr (std::is_same_v<decltype(make()), std::string>) {
      text(name, make());
    } else {
      (*this)(name, make());
    }
  }
  /// As a JSON list: the values may contain any separator.
  void list(FieldName name, const std::vector<std::string>& values) {
    text(name, values.empty() ? std::string{} : on_one_line(Json(values)));
  }
  template <class Row>
  void group(FieldName name, const std::optional<Row>& row, const auto& fields) {
    is_absent_ = !row;
    prefixed(name.in_csv, row.value_or(Row{}), fields);
    is_absent_ = false;
  }
  void prefixed(std::string_view prefix, const auto& row, const auto& fields) {
    prefix_ = std::string{prefix} + "_";
    fields(*this, row);
    prefix_.clear();
  }

  void begin_row() {
    table_.row();
    is_header_ = false;
  }
  [[nodiscard]] CsvTable take() { return std::move(table_); }

 private:
  CsvTable table_;
  std::string prefix_;
  bool is_header_ = true;
  bool is_absent_ = false;
};

CsvTable columns(const ProfiledRun& run) {
  CsvColumns columns;
  const auto add = [&] {
    kRunFields(columns, run);
    kPowerFields(columns, run.power);
    columns.prefixed("values", run.values, kSampledValuesFields);
  };
  add();
  columns.begin_row();
  add();
  return columns.take();
}

/// Adds the names of a record's fields.
class CsvHeader : public FieldKinds<CsvHeader> {
 public:
  explicit CsvHeader(CsvTable& table) : table_(table) {}

  template <class Member>
  void operator()(FieldName name, const Member&) {
    table_.add(kUnitsForPeople.add_to<Member>(name.in_csv));
  }
  void internal(FieldName, const auto&) {}
  void of_peak(FieldName name) { (*this)(name, Watts{}); }
  // One row an expert that was chosen.
  void list(FieldName, const std::vector<std::uint16_t>&) { table_.add("rank").add("expert"); }
  void list(FieldName, const std::vector<float>&) { table_.add("weight"); }

 private:
  CsvTable& table_;
};

/// Adds the values of a record's fields.
class CsvRow : public FieldKinds<CsvRow> {
 public:
  /// `power` is the run's; `place` the record's in its list, or that of an expert.
  CsvRow(CsvTable& table, const PowerFigures& power, std::size_t place)
      : table_(table), power_(power), place_(place) {}

  void operator()(FieldName, const auto& value) { table_.add(value); }
  void text(FieldName, std::string_view value) { table_.text_or_absent(value); }
  void index(FieldName, std::int32_t value) { table_.index(value); }
  void domain(FieldName, std::size_t index) { table_.add(power_.domains[index].domain.name); }
  void domain(FieldName, const std::optional<std::size_t>& index) {
    table_.text_or_absent(index ? power_.domains[*index].domain.name : std::string{});
  }
  void internal(FieldName, const auto&) {}
  void of_peak(FieldName) {
    const bool is_known = power_.peak && place_ < power_.peak->by_domain.size();
    table_.add(is_known ? power_.peak->by_domain[place_] : std::nullopt);
  }
  void list(FieldName, const std::vector<std::uint16_t>& experts) {
    table_.add(place_).add(experts[place_]);
  }
  void list(FieldName, const std::vector<float>& weights) {
    table_.add(static_cast<double>(weights[place_]));
  }

 private:
  CsvTable& table_;
  const PowerFigures& power_;
  std::size_t place_;
};

template <class Row>
CsvTable header(const auto& fields, std::initializer_list<std::string_view> before = {}) {
  CsvTable table{"run_id"};
  for (const std::string_view column : before) {
    table.add(column);
  }
  CsvHeader names(table);
  const Row any{};
  fields(names, any);
  return table;
}

template <class Row>
CsvTable whole_table(const std::vector<Row>& rows, const auto& fields, const ProfiledRun& run) {
  CsvTable table = header<Row>(fields);
  table.begin_rows_with(run.run_id);
  for (std::size_t index = 0; index < rows.size(); ++index) {
    CsvRow row(table.row(), run.power, index);
    fields(row, rows[index]);
  }
  return table;
}

CsvTable phases(const ProfiledRun& run) { return whole_table(run.phases, kPhaseFields, run); }
CsvTable sections(const ProfiledRun& run) { return whole_table(run.sections, kSectionFields, run); }
CsvTable power_domains(const ProfiledRun& run) {
  return whole_table(run.power.domains, kDomainFigureFields, run);
}
CsvTable warnings(const ProfiledRun& run) { return whole_table(run.warnings, kWarningFields, run); }

CsvTable verdict_reasons(const ProfiledRun& run) {
  return whole_table(run.verdict_reasons, kVerdictReasonFields, run);
}

CsvTable capture_parts(const ProfiledRun& run) {
  return whole_table(run.capture ? run.capture->parts : std::vector<CapturePart>{},
                     kCapturePartFields, run);
}
CsvTable capture_occupancy(const ProfiledRun& run) {
  return whole_table(run.capture ? run.capture->occupancy : std::vector<CaptureOccupancy>{},
                     kCaptureOccupancyFields, run);
}

/// A list that may be long: the name of its table, and how to add its rows.
struct RowsTable {
  std::string_view name;
  RunRows list;
  CsvTable (*make)();
  /// `index` is the row's position in the whole list.
  void (*add)(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t index,
              const ProfiledRun& head);
};

/// One row a record; Rows gives the list of a run.
template <auto Rows, const auto& Fields>
constexpr RowsTable rows_table(std::string_view name, RunRows list) {
  using Row = std::remove_cvref_t<decltype(Rows(std::declval<const ProfiledRun&>()).front())>;
  return {name, list, [] { return header<Row>(Fields); },
          [](CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t index,
             const ProfiledRun& head) {
            CsvRow values(table.row(), head.power, index);
            Fields(values, Rows(run)[row]);
          }};
}

/// A kind of operation has no number of its own: its place in the list is what events name.
CsvTable operation_kinds() { return header<OperationInfo>(kOperationKindFields, {"operation"}); }
void add_kind(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t index,
              const ProfiledRun& head) {
  CsvRow values(table.row().add(index), head.power, index);
  kOperationKindFields(values, run.operation_table.operations[row]);
}

CsvTable experts() { return header<ExpertActivation>(kExpertFields); }
void add_experts(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                 const ProfiledRun& head) {
  const ExpertActivation& routing = run.values.experts[row];
  for (std::size_t rank = 0; rank < routing.experts.size(); ++rank) {
    CsvRow values(table.row(), head.power, rank);
    kExpertFields(values, routing);
  }
}

/// A list that is always short, or the facts.
struct HeadTable {
  std::string_view name;
  CsvTable (*make)(const ProfiledRun&);
};
constexpr std::array kHeadTables{HeadTable{"runs", columns},
                                 HeadTable{"run", facts},
                                 HeadTable{"phases", phases},
                                 HeadTable{"sections", sections},
                                 HeadTable{"power_domains", power_domains},
                                 HeadTable{"warnings", warnings},
                                 HeadTable{"verdict_reasons", verdict_reasons},
                                 HeadTable{"capture_parts", capture_parts},
                                 HeadTable{"capture_occupancy", capture_occupancy}};
constexpr std::array kRowsTables{
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.tokens; }, kTokenFields>(
        "tokens", RunRows::tokens),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.layers; }, kLayerFields>(
        "layers", RunRows::layers),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.components; },
               kComponentFields>("components", RunRows::components),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.operations; },
               kOperationClassFields>("operations", RunRows::operations),
    RowsTable{"operation_kinds", RunRows::operation_kinds, operation_kinds, add_kind},
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.operation_table.events; },
               kOperationEventFields>("operation_events", RunRows::operation_events),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.values.activations; },
               kActivationFields>("activations", RunRows::activations),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.values.attention; },
               kAttentionFields>("attention", RunRows::attention),
    RowsTable{"experts", RunRows::experts, experts, add_experts},
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.power.samples; },
               kPowerSampleFields>("power_samples", RunRows::power_samples),
    rows_table<[](const ProfiledRun& run) -> const auto& { return run.power.readings; },
               kPowerReadingFields>("sensor_readings", RunRows::sensor_readings)};

constexpr std::array<std::string_view, 20> kNames{"runs",
                                                  "run",
                                                  "phases",
                                                  "sections",
                                                  "tokens",
                                                  "layers",
                                                  "components",
                                                  "operations",
                                                  "operation_kinds",
                                                  "operation_events",
                                                  "activations",
                                                  "attention",
                                                  "experts",
                                                  "power_domains",
                                                  "power_samples",
                                                  "sensor_readings",
                                                  "warnings",
                                                  "verdict_reasons",
                                                  "capture_parts",
                                                  "capture_occupancy"};
static_assert(kNames.size() == kHeadTables.size() + kRowsTables.size());

constexpr std::string_view kEndOfRow = "\r\n";

/// The text without its first row, the names of the columns, if it has to begin with rows.
std::string without(CsvBegin begin, std::string text) {
  return begin == CsvBegin::names ? std::move(text)
                                  : text.substr(text.find(kEndOfRow) + kEndOfRow.size());
}

}  // namespace

std::span<const std::string_view> csv_table_names() { return kNames; }

/// The rows of one list, read page by page.
class RunCsv::Rows {
 public:
  Rows(const RowsTable& table, const std::string& run_id, CsvBegin begin)
      : table_(&table), csv_(table.make()), begin_(begin) {
    csv_.begin_rows_with(run_id);
  }

  Result<bool> next(RunSource& source, std::string& text) {
    const auto slice = source.next(table_->list);
    if (!slice) {
      return std::unexpected(slice.error());
    }
    for (std::size_t row = slice->begin; row < slice->end; ++row) {
      table_->add(csv_, *slice->run, row, index_++, source.head());
    }
    if (slice->empty()) {
      csv_.finish();
    }
    if (begin_ == CsvBegin::names || csv_.text().find(kEndOfRow) != std::string::npos) {
      text += without(std::exchange(begin_, CsvBegin::names), csv_.move_text());
    }
    return !slice->empty();
  }

 private:
  const RowsTable* table_;
  CsvTable csv_;
  CsvBegin begin_;  // of the next piece
  std::size_t index_ = 0;
};

RunCsv::RunCsv(RunSource& source, std::string_view table, CsvBegin begin)
    : source_(source), table_(table), begin_(begin) {
  if (const auto* const found = std::ranges::find(kRowsTables, table, &RowsTable::name);
      found != kRowsTables.end()) {
    rows_ = std::make_unique<Rows>(*found, source.head().run_id, begin);
  }
}
RunCsv::~RunCsv() = default;

Result<bool> RunCsv::next(std::string& text) {
  if (!rows_) {
    const auto* const found = std::ranges::find(kHeadTables, table_, &HeadTable::name);
    CsvTable table = found->make(source_.head());
    table.finish();
    text += without(begin_, table.move_text());
    return false;
  }
  const std::size_t begin = text.size();
  Result<bool> more = true;
  while (more && *more && text.size() - begin < kPiece) {
    more = rows_->next(source_, text);
  }
  return more;
}

}  // namespace enprof
