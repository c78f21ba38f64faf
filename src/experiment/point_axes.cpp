#include "experiment/point_axes.hpp"

#include "base/choices.hpp"
#include "base/lower_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <limits>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostNumbers = 1000;  // of one list
constexpr int kMostTokens = 16'777'216;
constexpr int kMostWatts = 100'000;

// The types that llama.cpp's caches may have; the engine knows them by these names.
constexpr std::array<std::string_view, 10> kCacheTypes{"auto", "f32",  "f16",  "bf16", "q8_0",
                                                       "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"};
constexpr std::array<std::string_view, 3> kSwitch{"auto", "on", "off"};
constexpr int kOff = 2;
constexpr int kFirstQuantized = 4;  // of the cache types

// In the order of a label.
constexpr std::array kAxes{
    Axis{.key = "prompt_tokens",
         .flags = "-p,--prompt-tokens",
         .help = "Tokens of the prompt, which is made of tokens that mean nothing",
         .label = "p",
         .value = &ExperimentPoint::prompt_tokens,
         .values = &PointBlock::prompt_tokens,
         .least = 1,
         .most = kMostTokens,
         .usual = 512,
         .if_less = "Prompt and output are measured apart in each run: -p 1 leaves the output "
                    "almost alone.",
         .always = true,
         .is_exact = true},
    Axis{.key = "output_tokens",
         .flags = "-n,--output-tokens",
         .help = "Output tokens of each sequence",
         .label = "n",
         .value = &ExperimentPoint::output_tokens,
         .values = &PointBlock::output_tokens,
         .least = 1,
         .most = 1'000'000,
         .usual = 128,
         .if_less = "Prompt and output are measured apart in each run: -n 1 leaves the prompt "
                    "almost alone.",
         .always = true,
         .is_exact = true},
    Axis{.key = "filled_tokens",
         .flags = "-d,--filled-tokens",
         .help = "Tokens that are in the context before the prompt, and not measured",
         .label = "d",
         .value = &ExperimentPoint::filled_tokens,
         .values = &PointBlock::filled_tokens,
         .least = 0,
         .most = kMostTokens,
         .usual = 0,
         .is_exact = true},
    Axis{.key = "parallel",
         .flags = "--np,--parallel",
         .help = "Sequences at a time, each with a prompt of its own (-np)",
         .label = "np",
         .value = &ExperimentPoint::parallel,
         .values = &PointBlock::parallel,
         .least = 1,
         .most = 256,
         .usual = 1,
         .is_exact = true},
    Axis{.key = "threads",
         .flags = "-t,--threads",
         .help = "CPU threads; 0: one per available CPU",
         .label = "t",
         .value = &ExperimentPoint::threads,
         .values = &PointBlock::threads,
         .least = 0,
         .most = 512,
         .usual = 0},
    Axis{.key = "batch",
         .flags = "-b,--batch-size",
         .help = "Tokens of the prompt at a time; 0: the engine's choice",
         .label = "b",
         .value = &ExperimentPoint::batch,
         .values = &PointBlock::batches,
         .least = 0,
         .most = kMostTokens,
         .usual = 0},
    Axis{.key = "micro_batch",
         .flags = "--ub,--ubatch-size",
         .help = "Of these, tokens that are computed as one graph (-ub); 0: the engine's choice",
         .label = "ub",
         .value = &ExperimentPoint::micro_batch,
         .values = &PointBlock::micro_batches,
         .least = 0,
         .most = kMostTokens,
         .usual = 0},
    Axis{.key = "cache_type_k",
         .flags = "--ctk,--cache-type-k",
         .help = "Type of the keys in the KV cache (-ctk): f16, q8_0, …",
         .label = "ctk",
         .value = &ExperimentPoint::cache_type_k,
         .values = &PointBlock::cache_types_k,
         .least = 0,
         .most = static_cast<int>(kCacheTypes.size()) - 1,
         .usual = 0,
         .words = kCacheTypes},
    Axis{.key = "cache_type_v",
         .flags = "--ctv,--cache-type-v",
         .help = "Type of the values in it (-ctv)",
         .label = "ctv",
         .value = &ExperimentPoint::cache_type_v,
         .values = &PointBlock::cache_types_v,
         .least = 0,
         .most = static_cast<int>(kCacheTypes.size()) - 1,
         .usual = 0,
         .words = kCacheTypes},
    Axis{.key = "flash_attention",
         .flags = "--fa,--flash-attn",
         .help = "Flash attention (-fa): auto, on, off",
         .label = "fa",
         .value = &ExperimentPoint::flash_attention,
         .values = &PointBlock::flash_attention,
         .least = 0,
         .most = static_cast<int>(kSwitch.size()) - 1,
         .usual = 0,
         .words = kSwitch},
    Axis{.key = "gpu_layers",
         .flags = "--ngl,--gpu-layers",
         .help = "Layers to offload to the GPU (-ngl); -1: all",
         .label = "ngl",
         .value = &ExperimentPoint::gpu_layers,
         .values = &PointBlock::gpu_layers,
         .least = -1,
         .most = 100'000,
         .usual = -1},
    Axis{.key = "cpu_power_limit_w",
         .flags = "--cpu-power-limit",
         .help = "Power limit of each CPU package, W; 0: as it is. Restored at the end",
         .label = "pl",
         .value = &ExperimentPoint::cpu_power_limit,
         .values = &PointBlock::cpu_power_limits,
         .least = 0,
         .most = kMostWatts,
         .usual = 0,
         .is_limit = true},
    Axis{.key = "gpu_power_limit_w",
         .flags = "--gpu-power-limit",
         .help = "Power limit of each GPU, W; 0: as it is. Restored at the end",
         .label = "gpl",
         .value = &ExperimentPoint::gpu_power_limit,
         .values = &PointBlock::gpu_power_limits,
         .least = 0,
         .most = kMostWatts,
         .usual = 0,
         .is_limit = true},
    Axis{.key = "cpu_frequency_mhz",
         .flags = "--cpu-frequency",
         .help = "Highest frequency of the CPUs, MHz; 0: as it is. Restored at the end",
         .label = "mhz",
         .value = &ExperimentPoint::cpu_frequency,
         .values = &PointBlock::cpu_frequencies,
         .least = 0,
         .most = 100'000,
         .usual = 0,
         .is_limit = true},
};

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

/// Calls `visit` with each entry of a list that is separated by commas, until it returns false.
template <class Visit>
void visit_entries(std::string_view text, Visit visit) {
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text.remove_prefix(more ? comma + 1 : text.size());
    more = visit(entry) && more;
  }
}

Result<std::vector<int>> parse_words(std::string_view text,
                                     std::span<const std::string_view> words) {
  std::vector<int> values;
  std::string_view wrong;
  bool is_wrong = false;
  visit_entries(text, [&](std::string_view entry) {
    const auto found = std::ranges::find(words, lower_case(entry));
    is_wrong = found == words.end();
    if (is_wrong) {
      wrong = entry;
      return false;
    }
    const auto value = static_cast<int>(found - words.begin());
    if (std::ranges::find(values, value) == values.end()) {
      values.push_back(value);
    }
    return true;
  });
  if (is_wrong) {
    return fail(ErrorCode::invalid_argument, fmt::format("\"{}\" is not known", wrong),
                say_choices(wrong, words));
  }
  return values;
}

/// The settings of a label: those that are not usual; of a block with a name those that vary.
std::string label_of(const ExperimentPoint& point, const PointBlock& block, bool with_path) {
  const bool is_named = !block.name.empty();
  std::string label = is_named ? block.name : std::string{};
  if (!is_named || block.models.size() > 1) {
    label += is_named ? " " : "";
    label += with_path ? point.model : std::filesystem::path{point.model}.filename().string();
  }
  if (!point.prompt_file.empty() && (!is_named || block.prompt_files.size() > 1)) {
    label += " " + std::filesystem::path{point.prompt_file}.filename().string();
  }
  for (const Axis& axis : kAxes) {
    const bool is_unused = axis.key == "prompt_tokens" && !point.prompt_file.empty();
    const int value = point.*axis.value;
    const bool is_shown =
        is_named ? (block.*axis.values).size() > 1 : axis.always || value != axis.usual;
    if (is_shown && !is_unused) {
      label +=
          fmt::format(" {}{}{}", axis.label, axis.words.empty() ? "" : "=", axis.text_of(value));
    }
  }
  return label;
}

}  // namespace

std::string Axis::text_of(int number) const {
  const auto index = static_cast<std::size_t>(number);
  return words.empty() || index >= words.size() ? fmt::format("{}", number)
                                                : std::string{words[index]};
}

Result<std::vector<int>> Axis::parse(std::string_view text) const {
  if (!words.empty()) {
    return parse_words(text, words);
  }
  auto numbers = parse_numbers(text, least, most);
  // What is well written but for its size has numbers below the least.
  if (!numbers && !if_less.empty() && parse_numbers(text, 0, most)) {
    numbers.error().hint = if_less;
  }
  return numbers;
}

std::span<const Axis> axes() { return kAxes; }

const Axis* find_axis(std::string_view key) {
  const auto* const found = std::ranges::find(kAxes, key, &Axis::key);
  return found == kAxes.end() ? nullptr : found;
}

std::vector<ExperimentPoint> points_of(const PointBlock& block, bool with_path) {
  std::vector<ExperimentPoint> points;
  const std::vector<std::string> no_file{{}};
  const auto& files = block.prompt_files.empty() ? no_file : block.prompt_files;
  // From the axis that varies slowest to the fastest: those that load a model anew come first.
  constexpr std::array<std::string_view, kAxes.size()> kOrder{
      "cpu_frequency_mhz", "cpu_power_limit_w", "gpu_power_limit_w",
      "gpu_layers",        "flash_attention",   "cache_type_k",
      "cache_type_v",      "threads",           "batch",
      "micro_batch",       "parallel",          "filled_tokens",
      "prompt_tokens",     "output_tokens"};
  ExperimentPoint point;
  const std::function<void(std::size_t)> vary = [&](std::size_t depth) {
    if (depth == kOrder.size()) {
      point.label = label_of(point, block, with_path);
      points.push_back(point);
      return;
    }
    const Axis& axis = *find_axis(kOrder[depth]);
    if (axis.key == "prompt_tokens" && !point.prompt_file.empty()) {
      vary(depth + 1);
      return;
    }
    for (const int value : block.*axis.values) {
      point.*axis.value = value;
      vary(depth + 1);
    }
  };
  for (const std::string& model : block.models) {
    for (const std::string& file : files) {
      point = {.model = model, .prompt_file = file};
      vary(0);
    }
  }
  return points;
}

std::optional<std::string> contradiction(const ExperimentPoint& point) {
  if (point.batch > 0 && point.micro_batch > point.batch) {
    return fmt::format("-ub {} is more than -b {}: no more than a batch can be computed at a time",
                       point.micro_batch, point.batch);
  }
  if (point.flash_attention == kOff && point.cache_type_v >= kFirstQuantized) {
    return fmt::format("values of type {} in the KV cache need flash attention, which is off",
                       kCacheTypes[static_cast<std::size_t>(point.cache_type_v)]);
  }
  return std::nullopt;
}

Result<std::vector<int>> parse_numbers(std::string_view text, int least, int most) {
  const auto refuse = [](std::string message) {
    return fail(ErrorCode::invalid_argument, std::move(message),
                "Numbers are separated by commas; 1-4 is a range, 8-32+8 one with steps of 8, and "
                "1-8*2 doubles.");
  };
  std::vector<int> numbers;
  std::optional<std::string> wrong;
  visit_entries(text, [&](std::string_view entry) {
    const auto range = parse_range(entry);
    if (!range) {
      wrong = fmt::format("\"{}\" is not a number or a range of numbers", entry);
      return false;
    }
    for (const int number : *range) {
      if (number < least || number > most) {
        wrong = fmt::format("{} is out of range: it may be {} to {}", number, least, most);
        return false;
      }
      if (std::ranges::find(numbers, number) == numbers.end()) {
        numbers.push_back(number);
      }
    }
    if (numbers.size() > kMostNumbers) {
      wrong = fmt::format("{} has more than {} numbers", text, kMostNumbers);
      return false;
    }
    return true;
  });
  if (wrong) {
    return refuse(*std::move(wrong));
  }
  return numbers;
}

}  // namespace enprof
