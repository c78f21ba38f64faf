#include "experiment/run_labels.hpp"

#include "base/lower_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

std::vector<std::string> words_of_text(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (end > at) {
      words.push_back(lower_case(text.substr(at, end - at)));
    }
    at = end + 1;
  }
  return words;
}

/// "t2", "p512": letters and a whole number.
bool is_setting(std::string_view word) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
  const auto digits = std::ranges::find_if_not(word, is_letter);
  return digits != word.begin() && digits != word.end() &&
         std::all_of(digits, word.end(), is_digit) && digits - word.begin() <= 3;
}

}  // namespace

std::string make_tag(std::string_view name, std::string_view value) {
  return fmt::format("{}={}", name, value);
}

std::optional<std::string> tag_value(const std::vector<std::string>& tags, std::string_view name) {
  const std::string begin = make_tag(name, "");
  const auto found =
      std::ranges::find_if(tags, [&](const std::string& tag) { return tag.starts_with(begin); });
  return found == tags.end() ? std::nullopt : std::optional{found->substr(begin.size())};
}

std::optional<int> round_of(const ProfiledRun& run) {
  const auto text = tag_value(run.tags, kRoundTag);
  int round = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), round).ec != std::errc{}) {
    return std::nullopt;
  }
  return round;
}

std::string point_of(const ProfiledRun& run) {
  if (auto tagged = tag_value(run.tags, kPointTag)) {
    return *std::move(tagged);
  }
  std::string point = run.model.name;
  if (!run.model.quantization.empty()) {
    point += " " + run.model.quantization;
  }
  point += fmt::format(" p{}", run.totals.prompt_tokens);
  if (run.model.threads) {
    point += fmt::format(" t{}", *run.model.threads);
  }
  if (run.model.gpu_layers.value_or(0) != 0) {
    point += fmt::format(" ngl{}", *run.model.gpu_layers);
  }
  return point;
}

std::vector<PointRuns> by_point(std::vector<ProfiledRun> runs) {
  std::vector<PointRuns> points;
  for (ProfiledRun& run : runs) {
    std::string point = point_of(run);
    auto found = std::ranges::find(points, point, &PointRuns::point);
    if (found == points.end()) {
      points.push_back({.point = std::move(point)});
      found = points.end() - 1;
    }
    found->runs.push_back(std::move(run));
  }
  return points;
}

bool is_meant(std::string_view point, std::string_view selector) {
  const std::vector<std::string> words = words_of_text(point, " ");
  return std::ranges::all_of(words_of_text(selector, ", "), [&](const std::string& wanted) {
    return std::ranges::any_of(words, [&](const std::string& word) {
      // t2 is not t24, but q4 may be a part of a model's name.
      return word == wanted || (!is_setting(word) && word.find(wanted) != std::string::npos);
    });
  });
}

}  // namespace enprof
