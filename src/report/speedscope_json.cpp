#include "report/speedscope_json.hpp"

#include "enprof/base/version.hpp"

#include "report/json_figures.hpp"
#include "report/run_stacks.hpp"
#include "report/sum_rounder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// A profile in which each sample is a stack, and its weight what the run spent there.
class Profile {
 public:
  Profile(std::string_view name, std::string_view unit) : name_(name), unit_(unit) {}

  void add(const RunStack& stack, std::int64_t weight) {
    if (weight <= 0) {
      return;
    }
    const std::string_view separator = weights_.empty() ? "" : ",";
    samples_ += fmt::format("{}\n[{}]", separator, fmt::join(stack.frames, ","));
    weights_ += fmt::format("{}{}", separator, weight);
    total_ = capped_sum(total_, weight);
  }

  [[nodiscard]] std::string text() const {
    return fmt::format(
        "{{\"type\":\"sampled\",\"name\":{},\"unit\":\"{}\",\"startValue\":0,\"endValue\":{},"
        "\"samples\":[{}],\n\"weights\":[{}]}}",
        on_one_line(Json(name_)), unit_, total_, samples_, weights_);
  }

 private:
  std::string name_;
  std::string unit_;
  std::string samples_;
  std::string weights_;
  std::int64_t total_ = 0;
};

}  // namespace

Result<std::string> SpeedscopeJson::document() const {
  const auto stacks = RunStacks::read(*source_);
  if (!stacks) {
    return std::unexpected(stacks.error());
  }
  const ProfiledRun& run = source_->head();
  const bool is_estimate = run.totals.figure.quality.method == Method::estimated;
  Profile time("time", "nanoseconds");
  Profile energy(is_estimate ? "energy (µJ, estimated)" : "energy (µJ)", "none");
  SumRounder rounder;
  for (const RunStack& stack : stacks->stacks()) {
    time.add(stack, stack.time.count());
    energy.add(stack, rounder.round(stack.energy.value_or(Joules{}).value() * 1e6));
  }
  std::string text =
      "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
      "\"shared\":{\"frames\":[";
  for (std::uint32_t frame = 0; frame < stacks->frame_count(); ++frame) {
    text += fmt::format("{}\n{{\"name\":{}}}", frame == 0 ? "" : ",",
                        on_one_line(Json(stacks->frame(frame))));
  }
  text += "]},\n\"profiles\":[\n" + time.text();
  if (stacks->has_energy()) {
    text += ",\n" + energy.text();
  }
  text += fmt::format("],\n\"name\":{},\"activeProfileIndex\":{},\"exporter\":{}}}\n",
                      on_one_line(Json(fmt::format("enprof run {}", run.run_id))),
                      stacks->has_energy() ? 1 : 0,
                      on_one_line(Json(fmt::format("enprof {}", library_version()))));
  return text;
}

Result<bool> SpeedscopeJson::next(std::string& text) {
  if (!text_) {
    auto made = document();
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    text_.emplace(*std::move(made));
  }
  return text_->next(text);
}

}  // namespace enprof
