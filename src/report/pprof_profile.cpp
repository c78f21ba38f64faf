#include "report/pprof_profile.hpp"

#include "report/gzip.hpp"
#include "report/name_table.hpp"
#include "report/protobuf_message.hpp"
#include "report/run_stacks.hpp"
#include "report/sum_rounder.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <ranges>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

// Numbers of fields in profile.proto.
namespace profile_field {
constexpr std::uint32_t kSampleType = 1;
constexpr std::uint32_t kSample = 2;
constexpr std::uint32_t kLocation = 4;
constexpr std::uint32_t kFunction = 5;
constexpr std::uint32_t kStringTable = 6;
constexpr std::uint32_t kTimeNanos = 9;
constexpr std::uint32_t kDurationNanos = 10;
constexpr std::uint32_t kComment = 13;
constexpr std::uint32_t kDefaultSampleType = 14;
}  // namespace profile_field
constexpr std::uint32_t kTypeOfValueType = 1;
constexpr std::uint32_t kUnitOfValueType = 2;
constexpr std::uint32_t kLocationsOfSample = 1;
constexpr std::uint32_t kValuesOfSample = 2;
constexpr std::uint32_t kIdOfLocation = 1;
constexpr std::uint32_t kLineOfLocation = 4;
constexpr std::uint32_t kFunctionOfLine = 1;
constexpr std::uint32_t kIdOfFunction = 1;
constexpr std::uint32_t kNameOfFunction = 2;

}  // namespace

Result<std::string> PprofProfile::profile() const {
  const auto stacks = RunStacks::read(*source_);
  if (!stacks) {
    return std::unexpected(stacks.error());
  }
  const ProfiledRun& run = source_->head();
  ProtobufMessage result;
  NameTable strings;
  strings.number_of("");  // the first string has to be empty
  const auto add_type = [&](std::string_view type, std::string_view unit) {
    result.message(profile_field::kSampleType,
                   ProtobufMessage{}
                       .number(kTypeOfValueType, strings.number_of(type))
                       .number(kUnitOfValueType, strings.number_of(unit)));
  };
  if (stacks->has_energy()) {
    add_type("energy", "microjoules");
  }
  add_type("time", "microseconds");

  SumRounder energy;
  SumRounder time;
  std::vector<std::uint64_t> locations;
  std::vector<std::uint64_t> values;
  for (const RunStack& stack : stacks->stacks()) {
    locations.clear();
    for (const auto frame : std::views::reverse(stack.frames)) {
      locations.push_back(frame + 1);  // an id is never 0; the leaf comes first
    }
    values.clear();
    if (stacks->has_energy()) {
      values.push_back(
          static_cast<std::uint64_t>(energy.round(stack.energy.value_or(Joules{}).value() * 1e6)));
    }
    values.push_back(static_cast<std::uint64_t>(time.round(to_ns(stack.time) / 1e3)));
    result.message(
        profile_field::kSample,
        ProtobufMessage{}.numbers(kLocationsOfSample, locations).numbers(kValuesOfSample, values));
  }
  for (std::uint32_t frame = 0; frame < stacks->frame_count(); ++frame) {
    const std::uint32_t id = frame + 1;
    result.message(profile_field::kLocation,
                   ProtobufMessage{}
                       .number(kIdOfLocation, id)
                       .message(kLineOfLocation, ProtobufMessage{}.number(kFunctionOfLine, id)));
    result.message(profile_field::kFunction,
                   ProtobufMessage{}
                       .number(kIdOfFunction, id)
                       .number(kNameOfFunction, strings.number_of(stacks->frame(frame))));
  }
  // An imported run may have begun in a year that nanoseconds do not reach.
  constexpr auto kLatest = std::chrono::floor<std::chrono::milliseconds>(Nanoseconds::max());
  const auto started_at = run.started_at.time_since_epoch();
  if (started_at >= -kLatest && started_at <= kLatest) {
    result.number(profile_field::kTimeNanos, Nanoseconds{started_at}.count());
  }
  result.number(profile_field::kDurationNanos, run.totals.figure.duration.count());
  result.number(profile_field::kComment,
                strings.number_of(fmt::format("enprof run {}", run.run_id)));
  if (run.totals.figure.quality.method == Method::estimated) {
    result.number(profile_field::kComment, strings.number_of("the energies are estimated"));
  }
  if (stacks->has_energy()) {
    result.number(profile_field::kDefaultSampleType, strings.number_of("energy"));
  }
  for (std::uint32_t number = 0; number < strings.size(); ++number) {
    result.text(profile_field::kStringTable, strings.name(number));
  }
  return gzip(result.bytes());
}

Result<bool> PprofProfile::next(std::string& text) {
  if (!bytes_) {
    auto made = profile();
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    bytes_.emplace(*std::move(made));
  }
  return bytes_->next(text);
}

}  // namespace enprof
