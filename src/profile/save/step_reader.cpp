#include "profile/save/step_reader.hpp"

#include "base/json_node.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "model/command_engine.hpp"
#include "model/run_fields.hpp"
#include "model/run_id.hpp"
#include "profile/save/run_facts.hpp"
#include "record/span_places.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"recovery"};
/// A time further than 12 years from the run's begin is damage; sums and differences of smaller
/// times fit.
constexpr std::int64_t kMostTime = 400'000'000'000'000'000;
constexpr std::uint32_t kMostPlans = 100'000;
constexpr std::int64_t kMostSteps = 1'000'000'000;
constexpr std::int32_t kMostLayers = 1'000'000;

/// All members that a step can have. Any other is an error, so that it is not silently lost.
constexpr std::array<std::string_view, 27> kMembers{"version",        "step",
                                                    "origin_ns",      "at_ns",
                                                    "facts",          "values",
                                                    "sensors",        "complete",
                                                    "warnings",       "power_warnings",
                                                    "names",          "texts",
                                                    "plans",          "cpu",
                                                    "spans",          "passes",
                                                    "stamps",         "windows",
                                                    "readings",       "stamp_errors",
                                                    "cut_spans",      "dropped_spans",
                                                    "lost_passes",    "dropped_text_bytes",
                                                    "sequences",      "lost_sequences",
                                                    "unseen_permille"};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::malformed, fmt::format("A step of a run cannot be read: {}", what),
              "It was not written by enprof, or was changed since.");
}

[[noreturn]] void reject(const std::string& what) { throw std::invalid_argument(what); }

/// Walks through a flat list of numbers.
class Numbers {
 public:
  Numbers(const StepJson& step, const char* key, std::size_t group) : key_(key) {
    const auto found = step.find(key);
    if (found == step.end()) {
      return;
    }
    if (!found->is_array() || found->size() % group != 0) {
      reject(fmt::format("\"{}\" has {} numbers, which is not a multiple of {}", key,
                         found->is_array() ? found->size() : 0, group));
    }
    list_ = &*found;
  }
  [[nodiscard]] bool has_more() const { return list_ != nullptr && at_ < list_->size(); }
  template <std::integral Number>
  [[nodiscard]] Number next() {
    const std::size_t at = at_;
    return JsonNode(take(), fmt::format("number {} of \"{}\"", at, key_)).whole<Number>();
  }
  [[nodiscard]] Nanoseconds next_time() {
    const auto value = next<std::int64_t>();
    if (value < -kMostTime || value > kMostTime) {
      reject(fmt::format("a time of {} ns is out of range", value));
    }
    return Nanoseconds{value};
  }
  [[nodiscard]] double next_real() {
    const StepJson& number = take();
    if (!number.is_null() && !number.is_number()) {
      reject(fmt::format("number {} of \"{}\" is {}", at_ - 1, key_, number.dump()));
    }
    return number.is_null() ? std::nan("") : number.get<double>();
  }

 private:
  [[nodiscard]] const StepJson& take() {
    if (!has_more()) {
      reject(fmt::format("\"{}\" ends too early", key_));
    }
    return (*list_)[at_++];
  }

  const char* key_;
  const StepJson* list_ = nullptr;
  std::size_t at_ = 0;
};

/// The number in a key of an object.
template <class Number>
Number key_number(const std::string& key) {
  Number value{};
  const char* const end = key.data() + key.size();
  const auto [stop, failed] = std::from_chars(key.data(), end, value);
  if (failed != std::errc{} || stop != end) {
    reject(fmt::format("the key \"{}\" is not a number", key));
  }
  return value;
}

/// A pass as its step holds it; its indices are checked at the end.
struct RecordedPass {
  PassRecord pass;
  std::vector<Instant> ends;
  std::vector<BatchSequence> batch;
};

class Builder {
 public:
  explicit Builder(Instant origin) : origin_(origin) {}

  void add(const StepJson& step, StepFormat format) {
    format_ = format;
    const JsonNode node(step, "the step");
    node.allow_only(kMembers);
    until_ = std::max(until_, time_of(node.at("at_ns")));
    if (const JsonNode facts = node.at("facts"); !facts.absent()) {
      facts_from_json(facts, format_, recorded_.run);
      if (!is_valid_run_id(recorded_.run.run_id)) {
        reject(fmt::format("\"{}\" is not the id of a run", recorded_.run.run_id));
      }
    }
    if (const JsonNode values = node.at("values"); !values.absent()) {
      add_values(recorded_.run.values, values_from_json(values, format_));
    }
    if (const JsonNode sensors = node.at("sensors"); !sensors.absent()) {
      sensors_from_json(sensors, format_, recorded_.power);
    }
    add_cpu(node.at("cpu"));
    if (const JsonNode warnings = node.at("power_warnings"); !warnings.absent()) {
      power_warnings_ =
          list_from_json<Warning>(warnings, "power_warnings", format_, kWarningFields);
    }
    add_words(node);
    add_spans(step);
    add_passes(step);
    add_power(step);
    count(node.at("dropped_spans"), recorded_.recording.dropped_spans);
    count(node.at("dropped_text_bytes"), recorded_.recording.dropped_text_bytes);
    count(node.at("cut_spans"), recorded_.recording.cut_spans);
    count(node.at("lost_passes"), recorded_.recording.passes.lost_passes);
    count(node.at("lost_sequences"), recorded_.recording.passes.lost_sequences);
    if (node.at("complete").is_there()) {
      const JsonNode warnings = node.at("warnings");
      if (warnings.absent()) {
        warnings.is_not("a list");
      }
      recorded_.complete = true;
      recorded_.warnings = list_from_json<Warning>(warnings, "warnings", format_, kWarningFields);
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
  static Nanoseconds time_of(const JsonNode& node) {
    return Nanoseconds{node.whole(-kMostTime, kMostTime)};
  }

  static void count(const JsonNode& node, std::size_t& sum) {
    if (!node.absent()) {
      sum = node.whole<std::uint32_t>();
    }
  }

  void add_cpu(const JsonNode& samples) {
    constexpr std::size_t kColumns = 4;
    for (std::size_t index = 0; index < samples.size(); ++index) {
      const JsonNode sample = samples[index];
      if (sample.size() != kColumns) {
        sample.is_not("a time and three times of CPUs");
      }
      // The times of hundreds of CPUs since boot may add up to centuries.
      const auto ns = [&](std::size_t column) {
        return Nanoseconds{sample[column].whole<std::int64_t>(0)};
      };
      recorded_.power.cpu.push_back({.at = origin_ + time_of(sample[0]),  // may be before the run
                                     .times = {.machine = {ns(1), ns(2)}, .own = ns(3)}});
    }
  }

  void add_words(const JsonNode& step) {
    const JsonNode names = step.at("names");
    for (const auto& [key, name] : names.json().items()) {
      const auto index = key_number<std::uint16_t>(key);
      if (index >= RunRecorder::kMaxNames) {
        reject(fmt::format("name {} is beyond the {} that a run can have", index,
                           RunRecorder::kMaxNames));
      }
      names_[index] = bytes_from_json(names.at(key));
    }
    const JsonNode texts = step.at("texts");
    for (const auto& [key, text] : texts.json().items()) {
      texts_[key_number<std::int32_t>(key)] = bytes_from_json(texts.at(key));
    }
    const JsonNode plans = step.at("plans");
    for (const auto& [key, plan] : plans.json().items()) {
      const auto index = key_number<std::uint32_t>(key);
      if (index >= kMostPlans) {
        reject(fmt::format("plan {} is beyond the {} that a run can have", index, kMostPlans));
      }
      auto& all = recorded_.recording.passes.plans;
      all.resize(std::max<std::size_t>(all.size(), index + 1U));
      all[index] = std::make_shared<const OperationPlan>(plan_from_json(plans.at(key), format_));
      for (const OperationInfo& operation : all[index]->operations) {
        if (operation.layer < OperationInfo::kNoLayer || operation.layer > kMostLayers) {
          reject(fmt::format("an operation lies in layer {}", operation.layer));
        }
      }
    }
  }

  void add_spans(const StepJson& step) {
    for (Numbers list(step, "spans", 9); list.has_more();) {
      const auto index = list.next<std::int32_t>();
      SpanRecord record{.index = index, .open = list.next<int>() != 0, .span = {}};
      Span& span = record.span;
      span.begin = origin_ + list.next_time();
      span.end = span.begin + list.next_time();
      span.parent = list.next<std::int32_t>();
      span.token = list.next<std::int32_t>();
      span.name = list.next<std::uint16_t>();
      span.level = enum_from_number<Level>(list.next<std::int64_t>());
      span.phase = enum_from_number<Phase>(list.next<std::int64_t>());
      const bool is_run = span.level == Level::run;
      if (index < 0 || span.level > Level::token || is_run != (index == 0) ||
          span.parent >= index || (!is_run && span.parent < 0) || span.token < Span::kNone) {
        reject(fmt::format("span {} has an impossible index, level, parent or token", index));
      }
      spans_[index] = record;
    }
  }

  void add_passes(const StepJson& step) {
    Numbers stamps(step, "stamps", 1);
    for (Numbers list(step, "passes", 9); list.has_more();) {
      const auto index = list.next<std::int32_t>();
      PassRecord pass;
      pass.begin = origin_ + list.next_time();
      pass.start = pass.begin + list.next_time();
      pass.end = pass.begin + list.next_time();
      pass.place.parent = list.next<std::int32_t>();
      pass.place.spans_before = list.next<std::uint32_t>();
      pass.plan = list.next<std::uint32_t>();
      const auto state = list.next<int>();
      if (state < 0 || state > static_cast<int>(PassState::dropped)) {
        reject(fmt::format("pass {} has the unknown state {}", index, state));
      }
      pass.state = static_cast<PassState>(state);
      RecordedPass recorded{.pass = pass};
      Instant at = pass.start;
      for (auto count = list.next<std::uint32_t>(); count > 0; --count) {
        at += stamps.next_time();
        if (at - origin_ > Nanoseconds{kMostTime} || at - origin_ < Nanoseconds{-kMostTime}) {
          reject(fmt::format("a stamp of pass {} is out of range", index));
        }
        recorded.ends.push_back(at);
      }
      passes_[index] = std::move(recorded);
    }
    for (Numbers list(step, "sequences", 5); list.has_more();) {
      const auto pass = passes_.find(list.next<std::int32_t>());
      BatchSequence sequence;
      sequence.id = list.next<std::int32_t>();
      sequence.first_position = list.next<std::int32_t>();
      sequence.tokens = list.next<std::uint32_t>();
      sequence.outputs = list.next<std::uint32_t>();
      if (pass == passes_.end() || sequence.first_position < 0) {
        reject("a sequence belongs to no pass, or has a negative position");
      }
      pass->second.batch.push_back(sequence);
    }
  }

  void add_power(const StepJson& step) {
    Numbers errors(step, "stamp_errors", 1);
    Numbers unseen(step, "unseen_permille", 1);
    for (Numbers list(step, "windows", 4); list.has_more();) {
      EnergyWindow window;
      window.stamp_error_ns = errors.has_more() ? errors.next<std::uint32_t>() : 0;
      window.unseen_permille = unseen.has_more() ? unseen.next<std::uint16_t>() : std::uint16_t{0};
      window.domain = list.next<std::uint16_t>();
      window.begin = origin_ + list.next_time();
      window.end = window.begin + list.next_time();
      window.energy = Joules{list.next_real()};
      WindowsByDomain& windows = recorded_.power.windows;
      windows.resize(std::max<std::size_t>(windows.size(), window.domain + std::size_t{1}));
      windows[window.domain].push_back(window);
    }
    for (Numbers list(step, "readings", 4); list.has_more();) {
      SensorReading reading;
      reading.domain = list.next<std::uint16_t>();
      reading.quantity = enum_from_number<SensorQuantity>(list.next<std::int64_t>());
      reading.at = origin_ + list.next_time();
      reading.value = list.next_real();
      recorded_.power.readings.push_back(reading);
    }
  }

  /// The index of a span's parent among the spans read; empty if it is missing. Phases lie in the
  /// run; sections and tokens lie in a phase or in each other.
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

  /// Sections and tokens whose parent was lost with its step move to the phase that they name. If
  /// that was lost too, a phase takes the place of the first lost parent, and lasts from there to
  /// the end: nothing else is known of it.
  void adopt_orphans() {
    std::map<Phase, std::int32_t> phases;
    for (auto& [index, record] : spans_) {  // adding to a map leaves its iterators valid
      Span& span = record.span;
      if (span.level == Level::phase) {
        phases[span.phase] = index;
      }
      if (span.level < Level::section || span.parent <= 0 || spans_.contains(span.parent)) {
        continue;
      }
      const auto [phase, is_new] = phases.try_emplace(span.phase, span.parent);
      if (is_new) {
        spans_[span.parent] = {.index = span.parent,
                               .open = true,
                               .span = {.begin = span.begin,
                                        .end = span.begin,
                                        .parent = 0,
                                        .name = name_of(span.phase),
                                        .level = Level::phase,
                                        .phase = span.phase}};
      }
      span.parent = phase->second;
    }
  }

  /// The number of a phase's name; a new one if no step that was read has it.
  std::uint16_t name_of(Phase phase) {
    const auto found = std::ranges::find(names_, to_string(phase),
                                         [](const auto& name) -> auto& { return name.second; });
    if (found != names_.end()) {
      return found->first;
    }
    const auto next = static_cast<std::uint16_t>(names_.empty() ? 1 : names_.rbegin()->first + 1);
    names_[next] = std::string{to_string(phase)};
    return next;
  }

  /// Spans without their parent are dropped, with their children; open spans end with the last
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
    adopt_orphans();
    std::int32_t tokens = 0;
    const auto most_token = static_cast<std::int32_t>(spans_.size());  // a larger number is damage
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
          span.token = Span::kNone;  // its text and number are not known yet
        }
      }
      tokens = std::max(tokens, std::min(span.token, most_token) + 1);
      recording.names.resize(std::max<std::size_t>(recording.names.size(), span.name + 1U),
                             "(unknown)");
      places_.add(index);  // in the order of the recording
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
    for (auto& [index, recorded] : passes_) {
      PassRecord& pass = recorded.pass;
      const auto parent = places_.find(pass.place.parent);
      if (!parent) {
        ++passes.lost_passes;
        continue;
      }
      pass.place.parent = *parent;
      pass.place.spans_before = static_cast<std::uint32_t>(
          places_.count_before(static_cast<std::int32_t>(std::min<std::uint32_t>(
              pass.place.spans_before, std::numeric_limits<std::int32_t>::max()))));
      const bool is_complete = pass.state == PassState::complete;
      const bool has_plan = pass.plan < passes.plans.size() && passes.plans[pass.plan] != nullptr &&
                            passes.plans[pass.plan]->operations.size() == recorded.ends.size();
      if (pass.place.spans_before <= static_cast<std::uint32_t>(pass.place.parent) ||
          (is_complete && !has_plan)) {  // its plan was lost, or it is damaged
        ++passes.lost_passes;
        continue;
      }
      if (!is_complete) {
        recorded.ends.clear();
      }
      passes.add(pass, recorded.ends, recorded.batch);
    }
  }

  void finish_power() {
    PowerEvidence& power = recorded_.power;
    // The domains may have been lost with the first step.
    std::erase_if(power.readings, [&](const SensorReading& reading) {
      return reading.domain >= power.domains.size();
    });
    power.windows.resize(power.domains.size());
    for (std::vector<EnergyWindow>& windows : power.windows) {
      std::ranges::stable_sort(windows, {}, &EnergyWindow::begin);
    }
    std::ranges::stable_sort(power.readings, {}, &SensorReading::at);
  }

  Instant origin_;
  StepFormat format_;  // of the step being added
  Nanoseconds until_{0};
  RecordedRun recorded_;
  std::vector<Warning> power_warnings_;
  std::map<std::uint16_t, std::string> names_;
  std::map<std::int32_t, std::string> texts_;
  std::map<std::int32_t, SpanRecord> spans_;
  std::map<std::int32_t, RecordedPass> passes_;
  SpanPlaces places_;  // of the spans read
};

}  // namespace

Result<int> step_version(const StepJson& step) {
  if (!step.is_object()) {
    return malformed("it is not a JSON object");
  }
  const auto said = step.find("version");
  if (said == step.end()) {
    return 1;  // version 1 had no such member
  }
  if (!said->is_number_integer() || *said < 1) {
    return malformed(fmt::format("its version is {}", said->dump()));
  }
  if (*said > kStepVersion) {
    return fail(
        ErrorCode::unsupported,
        fmt::format("A step of a run is of version {}; this program knows versions up to {}",
                    said->dump(), kStepVersion),
        "A newer enprof wrote it: update this one. The run is left unchanged until then.");
  }
  return said->get<int>();
}

Result<void> StepReader::add(std::string_view content) {
  try {
    Step step{.json = StepJson::parse(content)};
    if (auto version = step_version(step.json)) {
      step.version = *version;
    } else {
      return std::unexpected(std::move(version.error()));
    }
    const auto number =
        JsonNode(step.json, "the step").at("step").whole<std::int64_t>(0, kMostSteps);
    if (step.json.contains("complete")) {
      complete_ = step;
    }
    steps_.emplace(number, std::move(step));
    return {};
  } catch (const std::exception& error) {
    ++unreadable_;
    return malformed(without_exception_name(error.what()));
  }
}

Result<RecordedRun> StepReader::run() {
  if (complete_) {
    std::map<std::int64_t, Step> whole;
    whole.emplace(0, *std::move(complete_));
    complete_.reset();
    if (auto recorded = build(whole)) {
      recorded->missing_steps = 0;
      return recorded;
    }
  }
  return build(steps_);
}

Result<RecordedRun> StepReader::build(const std::map<std::int64_t, Step>& steps) const {
  std::optional<Builder> builder;
  bool has_facts = false;
  std::size_t damaged = 0;
  std::string first_damage;
  for (const auto& [number, step] : steps) {
    try {
      const StepFormat format{.version = step.version, .changes = changes_};
      const Instant origin{Nanoseconds{JsonNode(step.json, "the step")
                                           .at("origin_ns")
                                           .whole<std::int64_t>(-kMostTime * 10, kMostTime * 10)}};
      Builder alone(origin);
      alone.add(step.json, format);  // throws if the step is damaged
      if (builder) {
        builder->add(step.json, format);
      } else {
        builder = std::move(alone);
      }
      has_facts = has_facts || step.json.contains("facts");
    } catch (const std::exception& error) {
      const std::string what =
          fmt::format("step {}: {}", number, without_exception_name(error.what()));
      kLog.warning("A damaged step of a run is left out: {}", what);
      first_damage = damaged++ == 0 ? what : first_damage;
    }
  }
  if (!has_facts && damaged > 0) {
    return malformed(first_damage);
  }
  if (!has_facts) {
    return fail(ErrorCode::not_found, "No step holds the facts of the run",
                "These steps cannot be used: the first is missing.");
  }
  RecordedRun recorded = builder->finish();
  const auto gaps = static_cast<std::size_t>(steps.rbegin()->first) + 1 - steps.size();
  recorded.missing_steps = std::max(gaps, unreadable_) + damaged;
  return recorded;
}

ProfiledRun assemble_recorded(RecordedRun recorded) {
  ProfiledRun run = std::move(recorded.run);
  assemble_run(recorded.recording.view(), recorded.power, run);
  if (run.response.empty()) {
    for (const TokenFigure& token : run.tokens) {
      run.response += token.text;
    }
  }
  std::ranges::move(recorded.warnings, std::back_inserter(run.warnings));
  if (!recorded.complete) {
    run.status = RunStatus::interrupted;
    const double until = seconds(recorded.until);
    run.warnings.push_back(
        is_command(run.model.engine)
            ? Warning{"profile", "interrupted",
                      fmt::format(
                          "enprof ended before the command did: these are its first {:.1f} s",
                          until),
                      "What was known of llama.cpp in it, its passes and requests, is lost."}
            : Warning{
                  "profile", "interrupted",
                  fmt::format("The program ended before the run did: these are its first {:.1f} s",
                              until),
                  ""});
    if (recorded.missing_steps > 0) {
      run.warnings.push_back(
          {"store", "lost_steps",
           fmt::format("Steps of the run, each about a second of it, that could not "
                       "be written anywhere and are missing: {}",
                       recorded.missing_steps),
           ""});
    }
  }
  judge_run(run);
  return run;
}

}  // namespace enprof
