#include "report/run_timeline.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"
#include "report/operation_frames.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr std::size_t kEventsAtATime = 256;
constexpr std::size_t kTokenColumns = 40;

/// The rows of one list, one after another.
class RowCursor {
 public:
  RowCursor(RunSource& source, RunRows list) : source_(source), list_(list) {}

  /// Makes the next row present; false at the end.
  Result<bool> fill() {
    if (!ended_ && at_ == slice_.end) {
      const auto slice = source_.next(list_);
      if (!slice) {
        return std::unexpected(slice.error());
      }
      slice_ = *slice;
      at_ = slice_.begin;
      ended_ = slice_.empty();
    }
    return !ended_;
  }
  [[nodiscard]] const ProfiledRun& run() const { return *slice_.run; }
  [[nodiscard]] std::size_t row() const { return at_; }
  void pop() { ++at_; }

 private:
  RunSource& source_;
  RunRows list_;
  RunSlice slice_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

/// A sum that is unknown as soon as a part of it is.
class EnergySum {
 public:
  void add(const std::optional<Joules>& energy) {
    sum_ = sum_ && energy ? std::optional{*sum_ + *energy} : std::nullopt;
  }
  /// The sum; the next one begins.
  std::optional<Joules> take() { return std::exchange(sum_, Joules{}); }

 private:
  std::optional<Joules> sum_ = Joules{};
};

struct KnownSlice {
  Nanoseconds begin{0};
  Nanoseconds end{0};
  TimelineSlice slice;
};

}  // namespace

class RunTimeline::Impl {
 public:
  explicit Impl(std::unique_ptr<RunSource> source)
      : source_(std::move(source)),
        tokens_(*source_, RunRows::tokens),
        operations_(*source_, RunRows::operation_events),
        samples_(*source_, RunRows::power_samples),
        readings_(*source_, RunRows::sensor_readings),
        measured_until_(source_->head().power.domains.size()) {
    const ProfiledRun& run = source_->head();
    for (const DomainFigure& domain : run.power.domains) {
      domain_names_.push_back(printable(domain.domain.name));
    }
    make_known_slices();
  }

  [[nodiscard]] const ProfiledRun& head() const { return source_->head(); }

  Result<bool> next(TimelineWriter& writer) {
    for (std::size_t event = 0; event < kEventsAtATime; ++event) {
      auto more = step(writer);
      if (!more || !*more) {
        return more;
      }
    }
    return true;
  }

 private:
  enum class Stage : std::uint8_t { frames, slices, power, readings, done };

  void make_known_slices() {
    const ProfiledRun& run = source_->head();
    known_.push_back(
        {.begin = Nanoseconds{0},
         .end = run.totals.figure.duration,
         .slice = {.level = Level::run, .name = "run", .figure = &run.totals.figure, .run = &run}});
    for (const PhaseFigure& phase : run.phases) {
      known_.push_back(
          {.begin = phase.begin,
           .end = phase.begin + phase.figure.duration,
           .slice = {
               .level = Level::phase, .name = to_string(phase.phase), .figure = &phase.figure}});
    }
    section_names_.reserve(run.sections.size());  // slices refer to them
    for (const SectionFigure& section : run.sections) {
      if (section.count == 1 && section.name != kSelfSection) {
        section_names_.push_back(printable(section.name));
        known_.push_back({.begin = section.begin,
                          .end = section.begin + section.figure.duration,
                          .slice = {.level = Level::section,
                                    .name = section_names_.back(),
                                    .figure = &section.figure}});
      }
    }
    std::ranges::stable_sort(known_, {}, [](const KnownSlice& known) {
      return std::tuple{known.begin, known.slice.level, -known.end};
    });
  }

  Result<bool> step(TimelineWriter& writer) {
    switch (stage_) {
      case Stage::frames: {
        auto frames = OperationFrames::read(*source_);
        if (!frames) {
          return std::unexpected(std::move(frames.error()));
        }
        frames_ = *std::move(frames);
        stage_ = Stage::slices;
        return true;
      }
      case Stage::slices:
        return step_slices(writer);
      case Stage::power:
        return step_power(writer);
      case Stage::readings:
        return step_readings(writer);
      case Stage::done:
        break;
    }
    return false;
  }

  /// Tells what begins next: a known slice, a token or an operation.
  Result<bool> step_slices(TimelineWriter& writer) {
    const auto has_token = tokens_.fill();
    if (!has_token) {
      return has_token;
    }
    const auto has_operation = operations_.fill();
    if (!has_operation) {
      return has_operation;
    }
    const TokenFigure* const token = *has_token ? &tokens_.run().tokens[tokens_.row()] : nullptr;
    const OperationEvent* const operation =
        *has_operation ? &operations_.run().operation_table.events[operations_.row()] : nullptr;
    const KnownSlice* const known = next_known_ < known_.size() ? &known_[next_known_] : nullptr;
    if (known != nullptr && comes_before(*known, token, operation)) {
      begin(writer, *known);
      ++next_known_;
    } else if (token != nullptr && (operation == nullptr || token->begin <= operation->begin)) {
      const std::string name =
          fmt::format("token {} {}", token->index, quote(token->text, kTokenColumns));
      begin(writer, {.begin = token->begin,
                     .end = token->begin + token->figure.duration,
                     .slice = {.level = Level::token,
                               .name = name,
                               .figure = &token->figure,
                               .token = token->index}});
      tokens_.pop();
    } else if (operation != nullptr) {
      tell(writer, *operation);
      operations_.pop();
    } else {
      end_layer(writer);
      end_slices(writer, Nanoseconds::max());
      stage_ = Stage::power;
    }
    return true;
  }

  static bool comes_before(const KnownSlice& known, const TokenFigure* token,
                           const OperationEvent* operation) {
    if (operation != nullptr && operation->begin < known.begin) {
      return false;
    }
    return token == nullptr || known.begin < token->begin ||
           (known.begin == token->begin && known.end >= token->begin + token->figure.duration);
  }

  /// Begins a slice whose end is known. What does not lie within the slice around it is cut off
  /// there: it can only be a rounding, or a run that somebody wrote.
  void begin(TimelineWriter& writer, const KnownSlice& known) {
    end_layer(writer);
    const Nanoseconds at = std::max(known.begin, now_);
    end_slices(writer, at);
    Nanoseconds end = std::max(known.end, at);
    if (!open_.empty()) {
      end = std::min(end, open_.back().first);
    }
    now_ = at;
    open_.emplace_back(end, known.slice.level);
    writer.begin(at, known.slice);
  }

  /// Ends the slices that end at this time or before.
  void end_slices(TimelineWriter& writer, Nanoseconds at) {
    while (!open_.empty() && open_.back().first <= at) {
      now_ = std::max(now_, open_.back().first);
      writer.end(now_, open_.back().second, std::nullopt);
      open_.pop_back();
    }
  }

  void tell(TimelineWriter& writer, const OperationEvent& event) {
    if (event.operation >= frames_.frames().size()) {
      return;
    }
    const OperationFrames::Frame& frame = frames_.frames()[event.operation];
    const Nanoseconds at = std::max(event.begin, now_);
    const std::tuple layer{event.phase, event.token, frame.layer};
    const bool a_slice_ends = !open_.empty() && open_.back().first <= at;
    if (layer_ && (*layer_ != layer || at != now_ || a_slice_ends)) {
      end_layer(writer);
    }
    end_slices(writer, at);
    Nanoseconds end = std::max(at, event.begin + Nanoseconds{event.duration_ns});
    if (!open_.empty()) {
      end = std::min(end, open_.back().first);
    }
    if (!layer_) {
      layer_ = layer;
      writer.begin(at, {.level = Level::layer, .name = layer_name(frame.layer)});
    }
    if (component_ != frame.component) {
      end_component(writer);
      component_ = frame.component;
      writer.begin(at, {.level = Level::component, .name = frames_.name(frame.component)});
    }
    if (const std::string& op = frames_.name(frame.op); !op.empty()) {
      writer.operation(at, end, op, event.energy());
    }
    component_energy_.add(event.energy());
    layer_energy_.add(event.energy());
    now_ = end;
  }

  void end_component(TimelineWriter& writer) {
    if (component_) {
      component_.reset();
      writer.end(now_, Level::component, component_energy_.take());
    }
  }
  void end_layer(TimelineWriter& writer) {
    if (layer_) {
      end_component(writer);
      layer_.reset();
      writer.end(now_, Level::layer, layer_energy_.take());
    }
  }

  const std::string& layer_name(std::int32_t layer) {
    const auto [entry, is_new] = layer_names_.try_emplace(layer);
    if (is_new) {
      entry->second = shown_layer(layer);
    }
    return entry->second;
  }

  /// Power of a domain in one window after another; in between it was not measured.
  Result<bool> step_power(TimelineWriter& writer) {
    const auto has_sample = samples_.fill();
    if (!has_sample) {
      return has_sample;
    }
    if (!*has_sample) {
      for (std::size_t domain = 0; domain < measured_until_.size(); ++domain) {
        if (measured_until_[domain]) {
          tell_gap(writer, domain, head().totals.figure.duration);
        }
      }
      stage_ = Stage::readings;
      return true;
    }
    const PowerSample& sample = samples_.run().power.samples[samples_.row()];
    samples_.pop();
    if (sample.end <= sample.begin || sample.end <= Nanoseconds{0} ||
        sample.domain >= domain_names_.size()) {
      return true;
    }
    const Nanoseconds begin = std::max(sample.begin, Nanoseconds{0});
    tell_gap(writer, sample.domain, begin);
    writer.count(begin, counter(sample.domain, std::nullopt),
                 (sample.energy / (sample.end - sample.begin)).value());
    measured_until_[sample.domain] = sample.end;
    return true;
  }

  void tell_gap(TimelineWriter& writer, std::size_t domain, Nanoseconds until) {
    const Nanoseconds since = measured_until_[domain].value_or(Nanoseconds{0});
    if (since < until) {
      writer.not_measured(since, until, domain, domain_names_[domain]);
    }
  }

  Result<bool> step_readings(TimelineWriter& writer) {
    const auto has_reading = readings_.fill();
    if (!has_reading) {
      return has_reading;
    }
    if (!*has_reading) {
      stage_ = Stage::done;
      return false;
    }
    const PowerReading& reading = readings_.run().power.readings[readings_.row()];
    readings_.pop();
    if (reading.domain < domain_names_.size()) {
      writer.count(std::max(reading.at, Nanoseconds{0}), counter(reading.domain, reading.quantity),
                   reading.value);
    }
    return true;
  }

  /// The counter of a domain's power, or of another quantity.
  TimelineCounter counter(std::size_t domain, const std::optional<SensorQuantity>& quantity) {
    const auto [entry, is_new] = counters_.try_emplace({domain, quantity}, counters_.size(), "");
    auto& [number, name] = entry->second;
    if (is_new) {
      name = fmt::format("{} {}", domain_names_[domain], quantity ? to_string(*quantity) : "power");
    }
    return {.number = number, .name = name, .unit = quantity ? "" : "W"};
  }

  std::unique_ptr<RunSource> source_;
  Stage stage_ = Stage::frames;
  OperationFrames frames_;

  std::vector<KnownSlice> known_;  // by begin; of those with the same begin the outermost first
  std::vector<std::string> section_names_;
  std::size_t next_known_ = 0;
  RowCursor tokens_;
  RowCursor operations_;

  Nanoseconds now_{0};                               // what was told so far ends here
  std::vector<std::pair<Nanoseconds, Level>> open_;  // ends of the slices that have begun
  std::optional<std::tuple<Phase, std::int32_t, std::int32_t>> layer_;  // phase, token, layer
  std::optional<std::uint32_t> component_;
  EnergySum layer_energy_;
  EnergySum component_energy_;
  std::map<std::int32_t, std::string> layer_names_;

  RowCursor samples_;
  RowCursor readings_;
  std::vector<std::string> domain_names_;
  std::vector<std::optional<Nanoseconds>> measured_until_;  // by domain
  std::map<std::pair<std::size_t, std::optional<SensorQuantity>>,
           std::pair<std::size_t, std::string>>
      counters_;
};

RunTimeline::RunTimeline(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
RunTimeline::~RunTimeline() = default;

const ProfiledRun& RunTimeline::head() const { return impl_->head(); }

Result<bool> RunTimeline::next(TimelineWriter& writer) { return impl_->next(writer); }

}  // namespace enprof
