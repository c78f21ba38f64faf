#include "experiment/analysis/point_groups.hpp"

#include "experiment/analysis/model_work.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

/// The settings without those of these names.
std::string settings_without(const PointData& point, const std::set<std::string_view>& names) {
  std::vector<std::string> kept;
  const std::string settings = point.settings();
  std::size_t at = 0;
  while (at < settings.size()) {
    const std::size_t end = std::min(settings.find(' ', at), settings.size());
    const std::string word = settings.substr(at, end - at);
    const std::size_t value =
        std::min(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), word.size());
    if (!word.empty() && !names.contains(std::string_view{word}.substr(0, value))) {
      kept.push_back(word);
    }
    at = end + 1;
  }
  return fmt::format("{}", fmt::join(kept, " "));
}

/// The label without its settings: the model.
std::string model_of(const PointData& point) {
  const std::string settings = point.settings();
  return settings.empty() ? point.label
                          : point.label.substr(0, point.label.size() - settings.size() - 1);
}

std::string shape_of(const ModelFacts& model) {
  const auto number = [](const auto& value) {
    return value ? fmt::format("{}", *value) : std::string{"-"};
  };
  return fmt::format("{} {} {} {} {} {} {}", model.architecture, number(model.parameters),
                     number(model.layers), number(model.embedding_width),
                     number(model.feed_forward_width), number(model.experts),
                     number(model.experts_used));
}

std::string kind_of(const ModelFacts& model) {
  std::string kind = model.architecture.empty() ? "unknown architecture" : model.architecture;
  if (model.experts.value_or(0) > 0) {
    kind += fmt::format(" with {} of {} experts", model.experts_used.value_or(0), *model.experts);
  }
  return model.quantization.empty() ? kind : kind + " " + model.quantization;
}

std::string joined(std::string_view a, const std::string& b) {
  return b.empty() ? std::string{a} : fmt::format("{}, {}", a, b);
}

struct Place {
  std::string key{};  // what points of a group share
  std::string name{};
  double x = 0.0;
};

std::optional<Place> place_of(const PointData& point, PointAxis axis) {
  switch (axis) {
    case PointAxis::parameters: {
      const auto active = active_parameters(point.model);
      const std::string name = joined(kind_of(point.model), point.settings());
      return active ? std::optional{Place{.key = name, .name = name, .x = *active}} : std::nullopt;
    }
    case PointAxis::context: {
      const std::string name = joined(model_of(point), settings_without(point, {"p", "d", "n"}));
      return Place{.key = name, .name = name, .x = point.decode_context()};
    }
    case PointAxis::micro_batch: {
      const std::string name = joined(model_of(point), settings_without(point, {"ub", "b"}));
      return Place{.key = name, .name = name, .x = tokens_in_pass(point)};
    }
    case PointAxis::parallel: {
      const std::string name = joined(model_of(point), settings_without(point, {"np"}));
      return Place{.key = name, .name = name, .x = static_cast<double>(point.parallel.value_or(1))};
    }
    case PointAxis::quantization: {
      const auto bits = bits_per_weight(point.model);
      const std::string architecture =
          point.model.architecture.empty() ? "model" : point.model.architecture;
      const double millions = static_cast<double>(point.model.parameters.value_or(0)) / 1e6;
      return bits ? std::optional{Place{.key = joined(shape_of(point.model), point.settings()),
                                        .name = joined(fmt::format("{} of {:.4g} M parameters",
                                                                   architecture, millions),
                                                       point.settings()),
                                        .x = *bits}}
                  : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

double tokens_in_pass(const PointData& point) {
  const double asked = point.micro_batch.value_or(0) > 0 ? *point.micro_batch : kUsualMicroBatch;
  return std::min(asked, static_cast<double>(point.prompt_tokens));
}

std::vector<PointGroup> groups_along(const ExperimentData& data, PointAxis axis,
                                     bool (*has)(const PointData&)) {
  struct Member {
    double x = 0.0;
    std::size_t point = 0;
  };
  std::map<std::string, std::pair<std::string, std::vector<Member>>> groups;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    if (!has(point)) {
      continue;
    }
    if (const auto place = place_of(point, axis)) {
      auto& [name, members] = groups[place->key];
      name = place->name;
      members.push_back({.x = place->x, .point = index});
    }
  }
  std::vector<PointGroup> result;
  for (auto& [key, group] : groups) {
    auto& [name, members] = group;
    std::ranges::stable_sort(members, {}, &Member::x);
    PointGroup found{.name = name};
    for (const Member& member : members) {
      found.distinct += found.xs.empty() || member.x != found.xs.back() ? 1 : 0;
      found.xs.push_back(member.x);
      found.points.push_back(member.point);
    }
    if (found.distinct > 1) {
      result.push_back(std::move(found));
    }
  }
  std::ranges::stable_sort(result, std::ranges::greater{}, &PointGroup::distinct);
  return result;
}

}  // namespace enprof
