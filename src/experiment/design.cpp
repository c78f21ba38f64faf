#include "experiment/design.hpp"

#include "base/json_node.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <random>
#include <ranges>
#include <set>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostNumbers = 1000;  // of one list

std::optional<int> parse_int(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// "8-32+8": the numbers of a range. Empty if it is none.
std::optional<std::vector<int>> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-', 1);  // the first character may be a sign
  if (dash == std::string_view::npos) {
    const auto one = parse_int(text);
    return one ? std::optional{std::vector{*one}} : std::nullopt;
  }
  std::string_view rest = text.substr(dash + 1);
  char kind = '+';
  int step = 1;
  if (const std::size_t mark = rest.find_first_of("+*"); mark != std::string_view::npos) {
    kind = rest[mark];
    const auto given = parse_int(rest.substr(mark + 1));
    if (!given || *given < (kind == '*' ? 2 : 1)) {
      return std::nullopt;
    }
    step = *given;
    rest = rest.substr(0, mark);
  }
  const auto first = parse_int(text.substr(0, dash));
  const auto last = parse_int(rest);
  if (!first || !last || *first > *last || (kind == '*' && *first < 1)) {
    return std::nullopt;
  }
  std::vector<int> numbers;
  for (std::int64_t number = *first; number <= *last && numbers.size() <= kMostNumbers;
       number = kind == '*' ? number * step : number + step) {
    numbers.push_back(static_cast<int>(number));
  }
  return numbers;
}

std::string label_of(const ExperimentPoint& point, bool with_path) {
  std::string label =
      with_path ? point.model : std::filesystem::path{point.model}.filename().string();
  label += fmt::format(" p{} n{}", point.prompt_tokens, point.output_tokens);
  const auto add = [&](std::string_view name, int value, int usual) {
    label += value == usual ? "" : fmt::format(" {}{}", name, value);
  };
  add("t", point.threads, 0);
  add("b", point.batch, 0);
  add("ub", point.micro_batch, 0);
  add("ngl", point.gpu_layers, -1);
  return label;
}

}  // namespace

std::vector<ExperimentPoint> ExperimentDesign::points() const {
  std::set<std::string> names;
  for (const std::string& model : models) {
    names.insert(std::filesystem::path{model}.filename().string());
  }
  const bool is_ambiguous = names.size() < models.size();
  std::vector<ExperimentPoint> result;
  for (const std::string& model : models) {
    for (const int layers : gpu_layers) {
      for (const int thread_count : threads) {
        for (const int batch : batches) {
          for (const int micro_batch : micro_batches) {
            for (const int prompt : prompt_tokens) {
              for (const int output : output_tokens) {
                ExperimentPoint& point =
                    result.emplace_back(ExperimentPoint{.model = model,
                                                        .prompt_tokens = prompt,
                                                        .output_tokens = output,
                                                        .threads = thread_count,
                                                        .batch = batch,
                                                        .micro_batch = micro_batch,
                                                        .gpu_layers = layers});
                point.label = label_of(point, is_ambiguous);
              }
            }
          }
        }
      }
    }
  }
  return result;
}

Result<std::vector<int>> parse_numbers(std::string_view text, int least, int most) {
  const auto refuse = [](std::string message) {
    return fail(ErrorCode::invalid_argument, std::move(message),
                "Numbers are separated by commas; 1-4 is a range, 8-32+8 one with steps of 8, and "
                "1-8*2 doubles.");
  };
  std::vector<int> numbers;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    more = comma != std::string_view::npos;
    rest.remove_prefix(more ? comma + 1 : rest.size());
    const auto range = parse_range(part);
    if (!range) {
      return refuse(fmt::format("\"{}\" is not a number or a range of numbers", part));
    }
    for (const int number : *range) {
      if (number < least || number > most) {
        return refuse(fmt::format("{} is out of range: it may be {} to {}", number, least, most));
      }
      if (std::ranges::find(numbers, number) == numbers.end()) {
        numbers.push_back(number);
      }
    }
    if (numbers.size() > kMostNumbers) {
      return refuse(fmt::format("{} has more than {} numbers", text, kMostNumbers));
    }
  }
  return numbers;
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
  return on_one_line(Json{{"models", design.models},
                          {"prompt_tokens", design.prompt_tokens},
                          {"output_tokens", design.output_tokens},
                          {"threads", design.threads},
                          {"batches", design.batches},
                          {"micro_batches", design.micro_batches},
                          {"gpu_layers", design.gpu_layers},
                          {"repeats", design.repeats},
                          {"seed", design.seed},
                          {"precision", nullable(design.precision)}});
}

Result<ExperimentDesign> design_from_json(std::string_view text) {
  try {
    const nlohmann::json document = parse_document(text);
    const JsonNode node(document, "the design");
    const auto numbers = [&](std::string_view key, int least) {
      auto list =
          node.at(key).list([least](const JsonNode& entry) { return entry.whole<int>(least); });
      if (list.empty()) {
        node.at(key).is_not("a list of numbers");
      }
      return list;
    };
    ExperimentDesign design;
    design.models = node.at("models").list([](const JsonNode& entry) { return entry.text(); });
    if (design.models.empty()) {
      node.at("models").is_not("a list of models");
    }
    design.prompt_tokens = numbers("prompt_tokens", 1);
    design.output_tokens = numbers("output_tokens", 1);
    design.threads = numbers("threads", 0);
    design.batches = numbers("batches", 0);
    design.micro_batches = numbers("micro_batches", 0);
    design.gpu_layers = numbers("gpu_layers", -1);
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
