#include "report/folded_stacks.hpp"

#include "report/run_stacks.hpp"
#include "report/sum_rounder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kDigits = "0123456789";

/// Whether a text is a number as flamegraph.pl reads it: 12, 12. or 12.5.
bool is_number(std::string_view text) {
  const std::size_t whole = text.find_first_not_of(kDigits);
  if (whole == 0 || text.empty()) {
    return false;
  }
  return whole == std::string_view::npos ||
         (text[whole] == '.' &&
          text.find_first_not_of(kDigits, whole + 1) == std::string_view::npos);
}

}  // namespace

Result<void> check_weight(const ProfiledRun& run, StackWeight weight) {
  if (weight == StackWeight::energy && !run.totals.figure.total) {
    return fail(ErrorCode::not_found,
                fmt::format("The energy of run {} is not known: nothing measured it", run.run_id),
                "Export its time instead: --weight time (weight=time in the API).");
  }
  return {};
}

FoldedStacks::FoldedStacks(std::unique_ptr<RunSource> source, StackWeight weight)
    : source_(std::move(source)), weight_(weight) {}

std::string FoldedStacks::line_of(const std::vector<std::string>& frames) {
  std::string line;
  for (const std::string& frame : frames) {
    if (!line.empty()) {
      line += ';';
    }
    const std::size_t begin = line.size();
    line += frame;
    std::replace(line.begin() + static_cast<std::ptrdiff_t>(begin), line.end(), ';', ':');
  }
  const std::size_t space = line.find_last_of(" \t");
  if (space != std::string::npos && is_number(std::string_view{line}.substr(space + 1))) {
    line[space] = '_';
  }
  return line;
}

Result<std::string> FoldedStacks::lines() const {
  if (auto known = check_weight(source_->head(), weight_); !known) {
    return std::unexpected(std::move(known.error()));
  }
  const auto run = RunStacks::read(*source_);
  if (!run) {
    return std::unexpected(run.error());
  }
  std::string text;
  SumRounder rounder;
  std::vector<std::string> frames;
  for (const RunStack& stack : run->stacks()) {
    const std::int64_t weight =
        rounder.round(weight_ == StackWeight::energy ? stack.energy.value_or(Joules{}).value() * 1e6
                                                     : to_ns(stack.time) / 1e3);
    if (weight <= 0) {
      continue;
    }
    frames.clear();
    for (const std::uint32_t frame : stack.frames) {
      frames.push_back(run->frame(frame));
    }
    text += fmt::format("{} {}\n", line_of(frames), weight);
  }
  return text;
}

Result<bool> FoldedStacks::next(std::string& text) {
  if (!text_) {
    auto made = lines();
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    text_.emplace(*std::move(made));
  }
  return text_->next(text);
}

}  // namespace enprof
