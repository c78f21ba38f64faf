#include "profile/save/step_reader.hpp"

#include "profile/save/run_facts.hpp"
#include "record/span_places.hpp"
#include "store/row_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

/// Times further from the run's begin than 12 years are damage; their sums and differences fit.
constexpr std::int64_t kMostTime = 400'000'000'000'000'000;
constexpr std::uint32_t kMostPlans = 100'000;
constexpr std::int64_t kMostSteps = 1'000'000'000;
constexpr std::int32_t kMostLayers = 1'000'000;

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::malformed, fmt::format("A step of a run cannot be read: {}", what),
              "It was not written by enprof, or was changed since.");
}

[[noreturn]] void reject(const char* what) { throw std::invalid_argument(what); }

/// Walks through a flat list of numbers.
class Numbers {
 public:
  Numbers(const StepJson& step, const char* key, std::size_t group) {
    const auto found = step.find(key);
    if (found == step.end()) {
      return;
    }
    if (!found->is_array() || found->size() % group != 0) {
      reject("a list of numbers has another length than it should");
    }
    list_ = &*found;
  }
  [[nodiscard]] bool more() const { return list_ != nullptr && at_ < list_->size(); }
  template <std::integral Number>
  [[nodiscard]] Number next() {
    return JsonReader::number<Number>(take());
  }
  [[nodiscard]] Nanoseconds time() {
    const auto value = next<std::int64_t>();
    if (value < -kMostTime || value > kMostTime) {
      reject("a time is out of all bounds");
    }
    return Nanoseconds{value};
  }
  [[nodiscard]] double real() {
    const StepJson& number = take();
    return number.is_null() ? std::nan("") : number.get<double>();
  }

 private:
  [[nodiscard]] const StepJson& take() {
    if (!more()) {
      reject("a list of numbers is too short");
    }
    return (*list_)[at_++];
  }

  const StepJson* list_ = nullptr;
  std::size_t at_ = 0;
};

/// What the keys of an object say that are numbers.
template <class Number>
Number key_number(const std::string& key) {
  Number value{};
  const char* const end = key.data() + key.size();
  const auto [stop, failed] = std::from_chars(key.data(), end, value);
  if (failed != std::errc{} || stop != end) {
    reject("a key is no number");
  }
  return value;
}

class Builder {
 public:
  explicit Builder(Instant origin) : origin_(origin) {}

  void add(const StepJson& step) {
    until_ = std::max(until_, time_of(step, "at_ns"));
    if (const auto facts = step.find("facts"); facts != step.end()) {
      facts_from_json(*facts, recorded_.run);
    }
    if (const auto values = step.find("values"); values != step.end()) {
      add_values(recorded_.run.values, values_from_json(*values));
    }
    if (const auto sensors = step.find("sensors"); sensors != step.end()) {
      sensors_from_json(*sensors, recorded_.power);
    }
    if (const auto samples = step.find("cpu"); samples != step.end()) {
      for (const StepJson& sample : *samples) {
        // The times of hundreds of CPUs since boot may add up to centuries.
        const auto ns = [&](std::size_t column) {
          const auto value = JsonReader::number<std::int64_t>(sample.at(column));
          if (value < 0) {
            reject("a CPU's time is negative");
          }
          return Nanoseconds{value};
        };
        const auto at = JsonReader::number<std::int64_t>(sample.at(0));  // may be before the run
        if (at < -kMostTime || at > kMostTime) {
          reject("a time is out of all bounds");
        }
        recorded_.power.cpu.push_back(
            {.at = origin_ + Nanoseconds{at}, .times = {.machine = {ns(1), ns(2)}, .own = ns(3)}});
      }
    }
    if (const auto warnings = step.find("power_warnings"); warnings != step.end()) {
      power_warnings_ = list_from_json<Warning>(*warnings, kWarningColumns);
    }
    add_words(step);
    add_spans(step);
    add_passes(step);
    add_power(step);
    count(step, "dropped_spans", recorded_.recording.dropped_spans);
    count(step, "dropped_text_bytes", recorded_.recording.dropped_text_bytes);
    count(step, "cut_spans", recorded_.recording.cut_spans);
    count(step, "lost_passes", recorded_.recording.passes.lost_passes);
    if (step.contains("complete")) {
      recorded_.complete = true;
      recorded_.warnings = list_from_json<Warning>(step.at("warnings"), kWarningColumns);
    }
  }

  RecordedRun finish() {
    recorded_.until = until_;
    std::ranges::move(power_warnings_, std::back_inserter(recorded_.run.warnings));
    finish_spans();
    finish_passes();
    finish_power();
    return std::move(recorded_);
  }

 private:
  static Nanoseconds time_of(const StepJson& step, const char* key) {
    const auto value = JsonReader::number<std::int64_t>(step.at(key));
    if (value < -kMostTime || value > kMostTime) {
      reject("a time is out of all bounds");
    }
    return Nanoseconds{value};
  }

  static void count(const StepJson& step, const char* key, std::size_t& sum) {
    if (const auto found = step.find(key); found != step.end()) {
      sum = JsonReader::number<std::uint32_t>(*found);
    }
  }

  void add_words(const StepJson& step) {
    if (const auto names = step.find("names"); names != step.end()) {
      for (const auto& [key, name] : names->items()) {
        const auto index = key_number<std::uint16_t>(key);
        if (index >= RunRecorder::kMaxNames) {
          reject("there are more names than a run can have");
        }
        names_[index] = bytes_from_json(name);
      }
    }
    if (const auto texts = step.find("texts"); texts != step.end()) {
      for (const auto& [key, text] : texts->items()) {
        texts_[key_number<std::int32_t>(key)] = bytes_from_json(text);
      }
    }
    if (const auto plans = step.find("plans"); plans != step.end()) {
      for (const auto& [key, plan] : plans->items()) {
        const auto index = key_number<std::uint32_t>(key);
        if (index >= kMostPlans) {
          reject("there are more plans than a run can have");
        }
        auto& all = recorded_.recording.passes.plans;
        all.resize(std::max<std::size_t>(all.size(), index + 1U));
        all[index] = plan_from_json(plan);
        for (const OperationInfo& operation : all[index].operations) {
          if (operation.layer < OperationInfo::kNoLayer || operation.layer > kMostLayers) {
            reject("an operation lies in a layer that no model has");
          }
        }
      }
    }
  }

  void add_spans(const StepJson& step) {
    for (Numbers list(step, "spans", 9); list.more();) {
      const auto index = list.next<std::int32_t>();
      SpanRecord record{.index = index, .open = list.next<int>() != 0, .span = {}};
      Span& span = record.span;
      span.begin = origin_ + list.time();
      span.end = span.begin + list.time();
      span.parent = list.next<std::int32_t>();
      span.token = list.next<std::int32_t>();
      span.name = list.next<std::uint16_t>();
      span.level = enum_from_number<Level>(list.next<std::int64_t>());
      span.phase = enum_from_number<Phase>(list.next<std::int64_t>());
      const bool is_run = span.level == Level::run;
      if (index < 0 || span.level > Level::token || is_run != (index == 0) ||
          span.parent >= index || (!is_run && span.parent < 0) || span.token < Span::kNone) {
        reject("a span has no place among the others");
      }
      spans_[index] = record;
    }
  }

  void add_passes(const StepJson& step) {
    Numbers stamps(step, "stamps", 1);
    for (Numbers list(step, "passes", 9); list.more();) {
      const auto index = list.next<std::int32_t>();
      PassRecord pass;
      pass.begin = origin_ + list.time();
      pass.start = pass.begin + list.time();
      pass.end = pass.begin + list.time();
      pass.place.parent = list.next<std::int32_t>();
      pass.place.spans_before = list.next<std::uint32_t>();
      pass.plan = list.next<std::uint32_t>();
      const auto state = list.next<int>();
      if (state < 0 || state > static_cast<int>(PassState::dropped)) {
        reject("a pass has an unknown state");
      }
      pass.state = static_cast<PassState>(state);
      std::vector<Instant> ends;
      Instant at = pass.start;
      for (auto count = list.next<std::uint32_t>(); count > 0; --count) {
        at += stamps.time();
        if (at - origin_ > Nanoseconds{kMostTime} || at - origin_ < Nanoseconds{-kMostTime}) {
          reject("a stamp is out of all bounds");
        }
        ends.push_back(at);
      }
      passes_[index] = {pass, std::move(ends)};
    }
  }

  void add_power(const StepJson& step) {
    Numbers errors(step, "stamp_errors", 1);
    for (Numbers list(step, "windows", 4); list.more();) {
      EnergyWindow window;
      window.stamp_error_ns = errors.more() ? errors.next<std::uint32_t>() : 0;
      window.domain = list.next<std::uint16_t>();
      window.begin = origin_ + list.time();
      window.end = window.begin + list.time();
      window.energy = Joules{list.real()};
      recorded_.power.windows.push_back(window);
    }
    for (Numbers list(step, "readings", 4); list.more();) {
      SensorReading reading;
      reading.domain = list.next<std::uint16_t>();
      reading.quantity = enum_from_number<SensorQuantity>(list.next<std::int64_t>());
      reading.at = origin_ + list.time();
      reading.value = list.real();
      recorded_.power.readings.push_back(reading);
    }
  }

  /// Where a span belongs; empty where that was lost: sections and tokens lie in a phase, or in
  /// each other, and phases in the run.
  [[nodiscard]] std::optional<std::int32_t> place_of_parent(const Span& span) const {
    if (span.level == Level::run) {
      return Span::kNone;
    }
    if (span.level == Level::phase) {
      return 0;
    }
    const auto parent = places_.find(span.parent);
    if (!parent || *parent == 0) {
      return std::nullopt;
    }
    return parent;
  }

  /// Spans whose place was lost are dropped, with their children; what is open ends with the last
  /// step.
  void finish_spans() {
    Recording& recording = recorded_.recording;
    if (spans_.empty()) {
      return;
    }
    if (spans_.begin()->first != 0) {
      spans_[0] = {.open = true, .span = {.begin = origin_, .level = Level::run}};
    }
    recording.names.resize(1, "run");
    std::int32_t tokens = 0;
    for (const auto& [index, record] : spans_) {
      Span span = record.span;
      if (record.open) {
        span.end = std::max(span.begin, origin_ + until_);
      }
      const auto parent = place_of_parent(span);
      if (!parent) {
        ++recording.dropped_spans;
        continue;
      }
      span.parent = *parent;
      if (span.level == Level::token) {
        if (record.open) {
          span.token = Span::kNone;  // nothing is known of it yet
        } else if (span.token >= static_cast<std::int32_t>(spans_.size())) {
          reject("a token has a number beyond all tokens");
        }
      }
      tokens = std::max(tokens, span.token + 1);
      recording.names.resize(std::max<std::size_t>(recording.names.size(), span.name + 1U),
                             "(unknown)");
      places_.add(index);  // as the spans of the recording
      recording.spans.push_back(span);
    }
    for (const auto& [index, name] : names_) {
      if (index < recording.names.size()) {
        recording.names[index] = name;
      }
    }
    tokens = std::min(tokens, static_cast<std::int32_t>(spans_.size()));
    for (Span& span : recording.spans) {
      if (span.token >= tokens) {
        span.token = Span::kNone;
      }
    }
    recording.token_texts.resize(static_cast<std::size_t>(tokens));
    for (auto& [token, text] : texts_) {
      if (token >= 0 && token < tokens) {
        recording.token_texts[static_cast<std::size_t>(token)] = std::move(text);
      }
    }
  }

  void finish_passes() {
    PassRecording& passes = recorded_.recording.passes;
    for (auto& [index, entry] : passes_) {
      auto& [pass, ends] = entry;
      const auto parent = places_.find(pass.place.parent);
      if (!parent) {
        ++passes.lost_passes;
        continue;
      }
      pass.place.parent = *parent;
      pass.place.spans_before = static_cast<std::uint32_t>(
          places_.count_before(static_cast<std::int32_t>(std::min<std::uint32_t>(
              pass.place.spans_before, std::numeric_limits<std::int32_t>::max()))));
      if (pass.place.spans_before <= static_cast<std::uint32_t>(pass.place.parent)) {
        reject("a pass has no place among the spans");
      }
      if (pass.state == PassState::complete) {
        if (pass.plan >= passes.plans.size() ||
            passes.plans[pass.plan].operations.size() != ends.size()) {
          reject("a pass does not have the operations of its plan");
        }
        pass.first_stamp = static_cast<std::uint32_t>(passes.stamps.size());
        passes.stamps.insert(passes.stamps.end(), ends.begin(), ends.end());
      }
      passes.passes.push_back(pass);
    }
  }

  void finish_power() {
    PowerEvidence& power = recorded_.power;
    const auto check = [&](const auto& list) {
      if (std::ranges::any_of(
              list, [&](const auto& entry) { return entry.domain >= power.domains.size(); })) {
        reject("a power domain is named that is not there");
      }
    };
    check(power.windows);
    check(power.readings);
    std::ranges::stable_sort(power.windows, {}, &EnergyWindow::begin);
    std::ranges::stable_sort(power.readings, {}, &SensorReading::at);
  }

  Instant origin_;
  Nanoseconds until_{0};
  RecordedRun recorded_;
  std::vector<Warning> power_warnings_;
  std::map<std::uint16_t, std::string> names_;
  std::map<std::int32_t, std::string> texts_;
  std::map<std::int32_t, SpanRecord> spans_;
  std::map<std::int32_t, std::pair<PassRecord, std::vector<Instant>>> passes_;
  SpanPlaces places_;  // of the spans that are there
};

}  // namespace

Result<void> StepReader::add(std::string_view content) {
  try {
    StepJson step = StepJson::parse(content);
    const auto number = JsonReader::number<std::int64_t>(step.at("step"));
    if (number < 0 || number > kMostSteps) {
      reject("its number is out of all bounds");
    }
    if (step.contains("complete")) {
      complete_ = step;
    }
    steps_.emplace(number, std::move(step));
    return {};
  } catch (const std::exception& error) {
    return malformed(error.what());
  }
}

Result<RecordedRun> StepReader::run() {
  if (complete_) {
    steps_.clear();
    steps_.emplace(0, *std::move(complete_));
    complete_.reset();
  }
  const bool named =
      std::ranges::any_of(steps_, [](const auto& step) { return step.second.contains("facts"); });
  if (!named) {
    return fail(ErrorCode::not_found, "No step says which run it belongs to",
                "Nothing can be made of these steps: the first is missing.");
  }
  try {
    const auto origin = JsonReader::number<std::int64_t>(steps_.begin()->second.at("origin_ns"));
    if (origin < -kMostTime * 10 || origin > kMostTime * 10) {
      reject("a time is out of all bounds");
    }
    Builder builder(Instant{Nanoseconds{origin}});
    for (const auto& [number, step] : steps_) {
      builder.add(step);
    }
    RecordedRun recorded = builder.finish();
    recorded.missing_steps = static_cast<std::size_t>(steps_.rbegin()->first) + 1 - steps_.size();
    return recorded;
  } catch (const std::exception& error) {
    return malformed(error.what());
  }
}

ProfiledRun assemble_recorded(RecordedRun recorded) {
  ProfiledRun run = std::move(recorded.run);
  assemble_run(recorded.recording, recorded.power, run);
  if (run.response.empty()) {
    for (const TokenFigure& token : run.tokens) {
      run.response += token.text;
    }
  }
  std::ranges::move(recorded.warnings, std::back_inserter(run.warnings));
  if (!recorded.complete) {
    run.status = RunStatus::interrupted;
    run.warnings.push_back(
        {"profile", "interrupted",
         fmt::format("The program ended before the run did: these are its first {:.1f} s",
                     seconds(recorded.until)),
         ""});
    if (recorded.missing_steps > 0) {
      run.warnings.push_back({"store", "lost_steps",
                              fmt::format("{} steps of the run, each about a second of it, could "
                                          "not be written anywhere and are missing",
                                          recorded.missing_steps),
                              ""});
    }
  }
  return run;
}

}  // namespace enprof
