#include "experiment/plan_file.hpp"

#include "base/choices.hpp"
#include "base/nearest_name.hpp"
#include "base/printable.hpp"

#include <fmt/format.h>
// Debian's package is a library without templates in each file.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <system_error>
#include <toml++/toml.h>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostBytes = 1'000'000;

/// What is wrong with a plan, and where. Thrown while a plan is read, and caught by parse_plan().
struct PlanError {
  toml::source_position at{};
  std::string message;
  std::string hint{};
};

using Keys = std::vector<std::string_view>;

class PlanReader {
 public:
  PlanReader(const toml::table& root, std::filesystem::path directory)
      : root_(root), directory_(std::move(directory)) {}

  [[nodiscard]] ExperimentPlan read();

 private:
  void allow_only(const toml::table& table, const Keys& keys) const;
  [[nodiscard]] std::string text(const toml::node& node, std::string_view key) const;
  [[nodiscard]] double number(const toml::node& node, std::string_view key, double least,
                              double most) const;
  [[nodiscard]] std::int64_t whole(const toml::node& node, std::string_view key, std::int64_t least,
                                   std::int64_t most) const;
  [[nodiscard]] double share(const toml::node& node, std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(const toml::node& node, std::string_view key) const;
  [[nodiscard]] std::vector<int> values(const toml::node& node, const Axis& axis) const;
  [[nodiscard]] std::string path(std::string name) const;
  [[nodiscard]] std::vector<std::string> paths(const toml::node& node, std::string_view key) const;
  /// The tables of a list of tables; none if it is missing.
  [[nodiscard]] std::vector<const toml::table*> tables(std::string_view key) const;
  void read_settings(const toml::table& table, PointBlock& block, bool may_have_name) const;
  [[nodiscard]] Exclusion exclusion(const toml::table& table) const;
  [[nodiscard]] QualityRequest quality(const toml::node& node) const;
  void refuse_same_labels(const std::vector<PointBlock>& blocks,
                          const std::vector<const toml::table*>& tables) const;

  const toml::table& root_;
  std::filesystem::path directory_;
};

[[noreturn]] void reject(const toml::node& node, std::string message, std::string hint = {}) {
  throw PlanError{
      .at = node.source().begin, .message = std::move(message), .hint = std::move(hint)};
}

Keys keys_of_points(bool may_have_name) {
  std::vector<std::string_view> keys{"model", "prompt_file"};
  if (may_have_name) {
    keys.emplace_back("name");
  }
  for (const Axis& axis : axes()) {
    keys.push_back(axis.key);
  }
  return keys;
}

/// A setting at the wrong place, or a similar name.
std::string hint_for(std::string_view key, const Keys& keys) {
  const Keys settings = keys_of_points(true);
  const bool is_setting = std::ranges::find(keys, settings.back()) != keys.end();
  const auto meant = nearest_name(key, settings);
  return !is_setting && meant && !nearest_name(key, keys)
             ? fmt::format("Did you mean '{}'? It belongs into [settings] or [[points]].", *meant)
             : say_choices(key, keys);
}

void PlanReader::allow_only(const toml::table& table, const Keys& keys) const {
  for (const auto& [key, value] : table) {
    if (std::ranges::find(keys, key.str()) == keys.end()) {
      throw PlanError{.at = key.source().begin,
                      .message = fmt::format("\"{}\" is not known here", printable(key.str())),
                      .hint = hint_for(key.str(), keys)};
    }
  }
}

std::string PlanReader::text(const toml::node& node, std::string_view key) const {
  auto value = node.value_exact<std::string>();
  if (!value || value->empty()) {
    reject(node, fmt::format("{} is not a text in quotes", key));
  }
  return *std::move(value);
}

double PlanReader::number(const toml::node& node, std::string_view key, double least,
                          double most) const {
  const auto value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value || !(*value >= least && *value <= most)) {
    reject(node, fmt::format("{} is not a number from {:g} to {:g}", key, least, most));
  }
  return *value;
}

std::int64_t PlanReader::whole(const toml::node& node, std::string_view key, std::int64_t least,
                               std::int64_t most) const {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < least || *value > most) {
    reject(node, fmt::format("{} is not a whole number from {} to {}", key, least, most));
  }
  return *value;
}

/// "1%", or 1 for 1 %: as on the command line.
double PlanReader::share(const toml::node& node, std::string_view key) const {
  if (node.is_number()) {
    return number(node, key, 0.0, 100.0) / 100.0;
  }
  std::string given = text(node, key);
  if (given.ends_with('%')) {
    given.pop_back();
  }
  double percent = 0.0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), percent);
  if (error != std::errc{} || end != given.data() + given.size() ||
      !(percent >= 0.0 && percent <= 100.0)) {
    reject(node, fmt::format("{} is not a percentage", key), "For example: \"1%\"");
  }
  return percent / 100.0;
}

std::vector<std::string> PlanReader::texts(const toml::node& node, std::string_view key) const {
  const toml::array* const list = node.as_array();
  if (list == nullptr) {
    return {text(node, key)};
  }
  std::vector<std::string> result;
  for (const toml::node& entry : *list) {
    std::string value = text(entry, key);
    if (std::ranges::find(result, value) == result.end()) {
      result.push_back(std::move(value));
    }
  }
  if (result.empty()) {
    reject(node, fmt::format("{} is an empty list", key));
  }
  return result;
}

/// A number, a text such as "1-4", or a list of these.
std::vector<int> PlanReader::values(const toml::node& node, const Axis& axis) const {
  std::vector<int> result;
  const auto add = [&](const toml::node& entry) {
    std::string given;
    if (const auto whole_value = entry.value_exact<std::int64_t>(); whole_value) {
      given = fmt::format("{}", *whole_value);
    } else if (const auto flag = entry.value_exact<bool>(); flag && !axis.words.empty()) {
      given = *flag ? "on" : "off";
    } else {
      given = text(entry, axis.key);
    }
    const auto parsed = axis.parse(given);
    if (!parsed) {
      reject(entry, fmt::format("{}: {}", axis.key, parsed.error().message), parsed.error().hint);
    }
    for (const int value : *parsed) {
      if (std::ranges::find(result, value) == result.end()) {
        result.push_back(value);
      }
    }
  };
  if (const toml::array* const list = node.as_array(); list != nullptr) {
    for (const toml::node& entry : *list) {
      add(entry);
    }
  } else {
    add(node);
  }
  if (result.empty()) {
    reject(node, fmt::format("{} is an empty list", axis.key));
  }
  return result;
}

/// What lies beside the plan is found from any directory; other names are left as they are.
std::string PlanReader::path(std::string name) const {
  std::error_code ignored;
  const std::filesystem::path beside = directory_ / name;
  return std::filesystem::path{name}.is_relative() && !directory_.empty() &&
                 std::filesystem::exists(beside, ignored)
             ? beside.string()
             : name;
}

std::vector<std::string> PlanReader::paths(const toml::node& node, std::string_view key) const {
  std::vector<std::string> names = texts(node, key);
  std::ranges::transform(names, names.begin(),
                         [this](std::string& name) { return path(std::move(name)); });
  return names;
}

std::vector<const toml::table*> PlanReader::tables(std::string_view key) const {
  const toml::node* const node = root_.get(key);
  if (node == nullptr) {
    return {};
  }
  const toml::array* const list = node->as_array();
  if (list == nullptr) {
    reject(*node, fmt::format("{} is not a list of tables", key),
           fmt::format("Each begins with [[{}]].", key));
  }
  std::vector<const toml::table*> result;
  for (const toml::node& entry : *list) {
    if (!entry.is_table()) {
      reject(entry, fmt::format("{} has an entry that is not a table", key),
             fmt::format("Each begins with [[{}]].", key));
    }
    result.push_back(entry.as_table());
  }
  return result;
}

void PlanReader::read_settings(const toml::table& table, PointBlock& block,
                               bool may_have_name) const {
  allow_only(table, keys_of_points(may_have_name));
  if (const toml::node* const node = table.get("name")) {
    block.name = text(*node, "name");
  }
  if (const toml::node* const node = table.get("model")) {
    block.models = paths(*node, "model");
  }
  const toml::node* const file = table.get("prompt_file");
  if (file != nullptr) {
    block.prompt_files = paths(*file, "prompt_file");
  }
  for (const Axis& axis : axes()) {
    if (const toml::node* const node = table.get(axis.key)) {
      if (axis.key == "prompt_tokens") {
        if (file != nullptr) {
          reject(*node, "prompt_tokens and prompt_file exclude each other",
                 "The prompt has either the file's text or so many tokens.");
        }
        block.prompt_files.clear();  // of the common settings
      }
      block.*axis.values = values(*node, axis);
    }
  }
}

Exclusion PlanReader::exclusion(const toml::table& table) const {
  Keys keys{"model"};
  for (const Axis& axis : axes()) {
    keys.push_back(axis.key);
  }
  allow_only(table, keys);
  Exclusion result;
  if (const toml::node* const node = table.get("model")) {
    result.models = paths(*node, "model");
  }
  for (const Axis& axis : axes()) {
    if (const toml::node* const node = table.get(axis.key)) {
      result.values.emplace(axis.key, values(*node, axis));
    }
  }
  if (result.models.empty() && result.values.empty()) {
    reject(table, "This excludes all points: it names no setting");
  }
  return result;
}

QualityRequest PlanReader::quality(const toml::node& node) const {
  const toml::table* const table = node.as_table();
  if (table == nullptr) {
    reject(node, "quality is not a table", "It begins with [quality].");
  }
  allow_only(*table, {"text", "reference", "chunks", "context"});
  QualityRequest request;
  if (table->get("text") == nullptr) {
    reject(*table, "quality names no text", "For example: text = \"wiki.txt\"");
  }
  request.text = path(text(*table->get("text"), "text"));
  if (const toml::node* const reference = table->get("reference")) {
    request.reference = path(text(*reference, "reference"));
  }
  if (const toml::node* const chunks = table->get("chunks")) {
    request.chunks = static_cast<int>(whole(*chunks, "chunks", 2, 100'000));
  }
  if (const toml::node* const context = table->get("context")) {
    request.context = static_cast<int>(whole(*context, "context", 16, 1'000'000));
  }
  return request;
}

void PlanReader::refuse_same_labels(const std::vector<PointBlock>& blocks,
                                    const std::vector<const toml::table*>& tables) const {
  std::set<std::string> labels;
  for (std::size_t index = 0; index < blocks.size(); ++index) {
    for (const ExperimentPoint& point : points_of(blocks[index], true)) {
      if (!labels.insert(point.label).second) {
        reject(tables.empty() ? static_cast<const toml::node&>(root_) : *tables[index],
               fmt::format("Two points are called {}", printable(point.label)),
               "Give each table of points a name of its own, or other settings.");
      }
    }
  }
}

ExperimentPlan PlanReader::read() {
  allow_only(root_, {"name", "repeats", "precision", "budget_s", "seed", "tags",
                     "price_usd_per_kwh", "settings", "points", "exclude", "quality"});
  ExperimentPlan plan;
  ExperimentDesign& design = plan.design;
  if (const toml::node* const node = root_.get("name")) {
    design.name = text(*node, "name");
  }
  if (const toml::node* const node = root_.get("repeats")) {
    design.repeats = static_cast<int>(whole(*node, "repeats", 1, 10'000));
  }
  if (const toml::node* const node = root_.get("precision")) {
    design.precision = share(*node, "precision");
  }
  if (const toml::node* const node = root_.get("budget_s")) {
    plan.budget_s = number(*node, "budget_s", 1e-3, 1e7);
  }
  if (const toml::node* const node = root_.get("seed")) {
    design.seed = static_cast<std::uint32_t>(
        whole(*node, "seed", 0, std::numeric_limits<std::uint32_t>::max()));
  }
  if (const toml::node* const node = root_.get("tags")) {
    plan.tags = texts(*node, "tags");
  }
  if (const toml::node* const node = root_.get("price_usd_per_kwh")) {
    plan.price_usd_per_kwh = number(*node, "price_usd_per_kwh", 0.0, 1000.0);
  }
  if (const toml::node* const node = root_.get("quality")) {
    design.quality = quality(*node);
  }
  PointBlock common;
  if (const toml::node* const node = root_.get("settings")) {
    if (!node->is_table()) {
      reject(*node, "settings is not a table", "It begins with [settings].");
    }
    read_settings(*node->as_table(), common, false);
  }
  const std::vector<const toml::table*> point_tables = tables("points");
  for (const toml::table* const table : point_tables) {
    PointBlock& block = design.blocks.emplace_back(common);
    read_settings(*table, block, true);
    if (block.models.empty()) {
      reject(*table, "These points have no model",
             "Add model = \"a.gguf\", here or in [settings].");
    }
  }
  if (design.blocks.empty()) {
    if (common.models.empty()) {
      reject(root_, "The plan has no points", "Add a table [[points]] with a model.");
    }
    design.blocks.push_back(common);
  }
  for (const toml::table* const table : tables("exclude")) {
    design.exclusions.push_back(exclusion(*table));
  }
  if (const auto checked = check_points(design); !checked) {
    reject(root_, checked.error().message, checked.error().hint);
  }
  refuse_same_labels(design.blocks, point_tables);
  return plan;
}

}  // namespace

Result<ExperimentPlan> parse_plan(std::string_view text, const std::string& name,
                                  const std::filesystem::path& directory) {
  const auto refuse = [&](const toml::source_position& at, std::string_view what,
                          std::string hint) {
    return fail(ErrorCode::malformed,
                at ? fmt::format("{}:{}:{}: {}", name, at.line, at.column, what)
                   : fmt::format("{}: {}", name, what),
                std::move(hint));
  };
  try {
    const toml::table root = toml::parse(text, name);
    return PlanReader(root, directory).read();
  } catch (const toml::parse_error& error) {
    return refuse(error.source().begin, printable(error.description()),
                  "docs/experiments.md has the format of a plan.");
  } catch (const PlanError& error) {
    return refuse(error.at, error.message, error.hint);
  }
}

Result<ExperimentPlan> read_plan(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The plan {} is a directory", printable(file.string())));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return fail(ErrorCode::not_found,
                fmt::format("The plan {} cannot be read: {}", printable(file.string()),
                            std::generic_category().message(errno)),
                "Pass the path of a TOML file, or -m for a plan without one.");
  }
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) {
    return fail(ErrorCode::io, fmt::format("The plan {} cannot be read", printable(file.string())));
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMostBytes) {
    return fail(ErrorCode::too_large, fmt::format("The plan {} has more than {} bytes",
                                                  printable(file.string()), kMostBytes));
  }
  return parse_plan(text, printable(file.string()), file.parent_path());
}

}  // namespace enprof
