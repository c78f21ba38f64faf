#include "profile/save/run_step_data.hpp"

#include "model/run_fields.hpp"
#include "profile/save/run_facts.hpp"
#include "profile/save/step_format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ranges>

namespace enprof {
namespace {

/// A JSON list of numbers, written straight into the text: a tree of values first would take ten
/// times as long.
class NumberList {
 public:
  NumberList(std::string& text, const char* key) : text_(text) {
    text_ += ",\"";
    text_ += key;
    text_ += "\":[";
    keep_room();
  }
  NumberList(const NumberList&) = delete;
  NumberList& operator=(const NumberList&) = delete;
  ~NumberList() { text_ += ']'; }  // keep_room() has made room for it

  template <class... Numbers>
  void add(Numbers... numbers) {
    (add_one(numbers), ...);
  }

 private:
  void add_one(double number) {
    if (std::isfinite(number)) {
      write(number);
    } else {
      write("null");
    }
  }
  void add_one(std::integral auto number) { write(static_cast<std::int64_t>(number)); }
  void add_one(Nanoseconds time) { write(time.count()); }

  void write(const char* word) {
    separate();
    text_ += word;
    keep_room();
  }
  void write(auto number) {
    separate();
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    text_.append(digits.data(), end);
    keep_room();
  }
  /// For the bracket at the end, which must not fail where there is no memory.
  void keep_room() {
    if (text_.size() == text_.capacity()) {
      text_.reserve(2 * text_.size());
    }
  }
  void separate() {
    if (!first_) {
      text_ += ',';
    }
    first_ = false;
  }

  std::string& text_;
  bool first_ = true;
};

void add_windows(const RunStepData& data, std::string& text) {
  const auto all = std::views::join(data.windows);
  if (std::ranges::all_of(data.windows, &std::vector<EnergyWindow>::empty)) {
    return;
  }
  {
    NumberList list(text, "windows");
    for (const EnergyWindow& window : all) {
      list.add(window.domain, window.begin - data.origin, window.duration(), window.energy.value());
    }
  }
  const auto has_error = [](const EnergyWindow& window) { return window.stamp_error_ns > 0; };
  if (std::ranges::any_of(all, has_error)) {
    NumberList list(text, "stamp_errors");
    for (const EnergyWindow& window : all) {
      list.add(window.stamp_error_ns);
    }
  }
  const auto has_unseen = [](const EnergyWindow& window) { return window.unseen_permille > 0; };
  if (std::ranges::any_of(all, has_unseen)) {
    NumberList list(text, "unseen_permille");
    for (const EnergyWindow& window : all) {
      list.add(window.unseen_permille);
    }
  }
}

void add_numbers(const RunStepData& data, std::string& text) {
  const Instant origin = data.origin;
  if (!data.spans.empty()) {
    NumberList list(text, "spans");
    for (const auto& [index, open, span] : data.spans) {
      list.add(index, static_cast<int>(open), span.begin - origin,
               open ? Nanoseconds{0} : span.end - span.begin, span.parent, span.token, span.name,
               static_cast<int>(span.level), static_cast<int>(span.phase));
    }
  }
  if (!data.passes.empty()) {
    NumberList list(text, "passes");
    for (const auto& [pass, index] : data.passes) {
      list.add(index, pass.begin - origin, pass.start - pass.begin, pass.end - pass.begin,
               pass.place.parent, pass.place.spans_before, pass.plan, static_cast<int>(pass.state),
               pass.stamp_count);
    }
  }
  if (!data.passes.empty()) {
    NumberList list(text, "stamps");
    for (const PassEntry& entry : data.passes) {
      for (const StampCode code : data.pass_memory.stamps_of(entry.pass)) {
        list.add(decode_stamp(code));
      }
    }
  }
  const auto has_sequences = [](const PassEntry& entry) { return entry.pass.sequence_count > 0; };
  if (std::ranges::any_of(data.passes, has_sequences)) {
    NumberList list(text, "sequences");
    for (const PassEntry& entry : data.passes) {
      for (const auto& [id, first_position, tokens, outputs] :
           data.pass_memory.sequences_of(entry.pass)) {
        list.add(entry.index, id, first_position, tokens, outputs);
      }
    }
  }
  add_windows(data, text);
  if (!data.readings.empty()) {
    NumberList list(text, "readings");
    for (const SensorReading& reading : data.readings) {
      list.add(reading.domain, static_cast<int>(reading.quantity), reading.at - origin,
               reading.value);
    }
  }
}

}  // namespace

std::string step_to_json(const RunStepData& data) {
  StepJson rest{{"version", kStepVersion},
                {"step", data.step},
                {"origin_ns", data.origin.time_since_epoch().count()},
                {"at_ns", (data.at - data.origin).count()}};
  for (const auto& [index, name] : data.names) {
    rest["names"][std::to_string(index)] = bytes_to_json(name);
  }
  for (const auto& [token, text] : data.texts) {
    rest["texts"][std::to_string(token)] = bytes_to_json(text);
  }
  for (const auto& [index, plan] : data.plans) {
    rest["plans"][std::to_string(index)] = plan_to_json(*plan);
  }
  for (const CpuSample& sample : data.cpu) {
    rest["cpu"].push_back({(sample.at - data.origin).count(), sample.times.machine.busy.count(),
                           sample.times.machine.total.count(), sample.times.own.count()});
  }
  if (data.facts) {
    rest["facts"] = *data.facts;
  }
  if (data.values != SampledValues{}) {
    rest["values"] = values_to_json(data.values);
  }
  if (data.sensors) {
    rest["sensors"] = *data.sensors;
  }
  if (data.power_warnings) {
    rest["power_warnings"] = list_to_json(*data.power_warnings, kWarningFields);
  }
  const auto count = [&](const char* key, std::size_t number) {
    if (number > 0) {
      rest[key] = number;
    }
  };
  count("dropped_spans", data.dropped_spans);
  count("dropped_text_bytes", data.dropped_text_bytes);
  count("cut_spans", data.cut_spans);
  count("lost_passes", data.lost_passes);
  count("lost_sequences", data.lost_sequences);
  if (data.complete) {
    rest["complete"] = true;
    rest["warnings"] = list_to_json(data.warnings, kWarningFields);
  }
  std::string text = rest.dump();
  text.pop_back();  // the object's brace: the lists of numbers go in before it
  add_numbers(data, text);
  text += '}';
  return text;
}

}  // namespace enprof
