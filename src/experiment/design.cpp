#include "experiment/design.hpp"

#include "base/json_node.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <random>
#include <ranges>
#include <set>
#include <utility>

namespace enprof {
namespace {

// Keys that designs of the first version had at other places.
constexpr std::string_view kModels = "models";

std::string key_of(const Axis& axis, bool is_old) {
  const bool is_renamed = axis.key == "batch" || axis.key == "micro_batch";
  return std::string{axis.key} + (is_old && is_renamed ? "es" : "");
}

std::vector<int> read_numbers(const JsonNode& node, const Axis& axis) {
  auto list =
      node.list([&](const JsonNode& entry) { return entry.whole<int>(axis.least, axis.most); });
  if (list.empty()) {
    node.is_not("a list of numbers");
  }
  return list;
}

std::vector<std::string> read_texts(const JsonNode& node) {
  return node.list([](const JsonNode& entry) { return entry.text(); });
}

PointBlock read_block(const JsonNode& node, bool is_old) {
  PointBlock block;
  block.models = read_texts(node.at(kModels));
  if (block.models.empty()) {
    node.at(kModels).is_not("a list of models");
  }
  if (!is_old) {
    block.name = node.at("name").absent() ? std::string{} : node.at("name").text();
    block.prompt_files = read_texts(node.at("prompt_files"));
  }
  for (const Axis& axis : axes()) {
    const std::string key = key_of(axis, is_old);
    const JsonNode values = node.at(key);
    if (!values.absent()) {
      block.*axis.values = read_numbers(values, axis);
    }
  }
  return block;
}

Json block_to_json(const PointBlock& block) {
  Json json{{kModels, block.models}};
  if (!block.name.empty()) {
    json["name"] = block.name;
  }
  if (!block.prompt_files.empty()) {
    json["prompt_files"] = block.prompt_files;
  }
  const PointBlock usual;
  for (const Axis& axis : axes()) {
    if (block.*axis.values != usual.*axis.values) {
      json[axis.key] = block.*axis.values;
    }
  }
  return json;
}

Json exclusion_to_json(const Exclusion& exclusion) {
  Json json = Json::object();
  if (!exclusion.models.empty()) {
    json[kModels] = exclusion.models;
  }
  for (const auto& [key, values] : exclusion.values) {
    json[key] = values;
  }
  return json;
}

Exclusion read_exclusion(const JsonNode& node) {
  Exclusion exclusion{.models = read_texts(node.at(kModels))};
  for (const Axis& axis : axes()) {
    const JsonNode values = node.at(axis.key);
    if (!values.absent()) {
      exclusion.values.emplace(axis.key, read_numbers(values, axis));
    }
  }
  return exclusion;
}

Json quality_to_json(const std::optional<QualityRequest>& quality) {
  return quality ? Json{{"text", quality->text},
                        {"reference", quality->reference},
                        {"chunks", quality->chunks},
                        {"context", quality->context}}
                 : Json(nullptr);
}

QualityRequest read_quality(const JsonNode& node) {
  return {.text = node.at("text").text(),
          .reference = node.at("reference").text(),
          .chunks = node.at("chunks").whole<int>(1),
          .context = node.at("context").whole<int>(1)};
}

}  // namespace

bool Exclusion::covers(const ExperimentPoint& point) const {
  const auto is_model = [&](const std::string& model) {
    return model == point.model ||
           std::filesystem::path{point.model}.filename() == std::filesystem::path{model}.filename();
  };
  if (!models.empty() && std::ranges::none_of(models, is_model)) {
    return false;
  }
  return std::ranges::all_of(values, [&](const auto& entry) {
    const Axis* const axis = find_axis(entry.first);
    return axis != nullptr &&
           std::ranges::find(entry.second, point.*axis->value) != entry.second.end();
  });
}

std::vector<std::string> ExperimentDesign::models() const {
  std::vector<std::string> result;
  for (const PointBlock& block : blocks) {
    for (const std::string& model : block.models) {
      if (std::ranges::find(result, model) == result.end()) {
        result.push_back(model);
      }
    }
  }
  return result;
}

std::vector<ExperimentPoint> ExperimentDesign::points() const {
  const std::vector<std::string> all_models = models();
  std::set<std::string> names;
  for (const std::string& model : all_models) {
    names.insert(std::filesystem::path{model}.filename().string());
  }
  const bool is_ambiguous = names.size() < all_models.size();
  std::vector<ExperimentPoint> result;
  std::set<std::string> labels;
  for (const PointBlock& block : blocks) {
    for (ExperimentPoint& point : points_of(block, is_ambiguous)) {
      const bool is_excluded = std::ranges::any_of(
          exclusions, [&](const Exclusion& exclusion) { return exclusion.covers(point); });
      if (!is_excluded && labels.insert(point.label).second) {
        result.push_back(std::move(point));
      }
    }
  }
  return result;
}

Result<void> check_points(const ExperimentDesign& design) {
  double count = 0.0;  // before any is made: a few lists of 1000 numbers would fill the memory
  for (const PointBlock& block : design.blocks) {
    double product = static_cast<double>(block.models.size()) *
                     static_cast<double>(std::max(block.prompt_files.size(), std::size_t{1}));
    for (const Axis& axis : axes()) {
      const bool is_unused = axis.key == "prompt_tokens" && !block.prompt_files.empty();
      product *= is_unused ? 1.0 : static_cast<double>((block.*axis.values).size());
    }
    count += product;
  }
  if (count > static_cast<double>(kMostPoints)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("These settings have {:.4g} combinations; an experiment may have {}",
                            count, kMostPoints),
                "Pass shorter lists.");
  }
  if (design.points().empty()) {
    return fail(ErrorCode::invalid_argument, "The experiment has no points: all are excluded",
                "Exclude fewer, or add models.");
  }
  return {};
}

std::vector<std::size_t> order_of_round(std::uint32_t seed, int round, std::size_t count) {
  std::vector<std::size_t> order(count);
  std::ranges::copy(std::views::iota(std::size_t{0}, count), order.begin());
  std::seed_seq sequence{seed, static_cast<std::uint32_t>(round)};
  std::mt19937 random(sequence);
  // Fisher and Yates; std::shuffle gives another order with each standard library.
  for (std::size_t left = count; left > 1; --left) {
    std::swap(order[left - 1], order[static_cast<std::uint32_t>(random()) % left]);
  }
  return order;
}

std::string design_to_json(const ExperimentDesign& design) {
  Json blocks = Json::array();
  std::ranges::transform(design.blocks, std::back_inserter(blocks), block_to_json);
  Json excluded = Json::array();
  std::ranges::transform(design.exclusions, std::back_inserter(excluded), exclusion_to_json);
  return on_one_line(Json{{"blocks", std::move(blocks)},
                          {"exclude", std::move(excluded)},
                          {"repeats", design.repeats},
                          {"seed", design.seed},
                          {"precision", nullable(design.precision)},
                          {"quality", quality_to_json(design.quality)}});
}

Result<ExperimentDesign> design_from_json(std::string_view text) {
  try {
    const nlohmann::json document = parse_document(text);
    const JsonNode node(document, "the design");
    ExperimentDesign design;
    if (!node.at(kModels).absent()) {  // of the first version
      design.blocks.push_back(read_block(node, true));
    } else {
      design.blocks =
          node.at("blocks").list([](const JsonNode& block) { return read_block(block, false); });
      design.exclusions = node.at("exclude").list(read_exclusion);
      design.quality = node.at("quality").optional(read_quality);
    }
    if (design.blocks.empty()) {
      node.at("blocks").is_not("a list of points");
    }
    design.repeats = node.at("repeats").whole<int>(1);
    design.seed = node.at("seed").whole<std::uint32_t>();
    design.precision =
        node.at("precision").optional([](const JsonNode& value) { return value.number(0.0, 1.0); });
    return design;
  } catch (const JsonError& error) {
    return fail(ErrorCode::malformed,
                fmt::format("The design of the experiment cannot be read: {}", error.what()),
                error.hint());
  }
}

}  // namespace enprof
