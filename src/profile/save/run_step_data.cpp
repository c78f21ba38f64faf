#include "profile/save/run_step_data.hpp"

#include "profile/save/run_facts.hpp"
#include "store/row_columns.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

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
    for (const auto& [pass, index, stamps, count] : data.passes) {
      list.add(index, pass.begin - origin, pass.start - pass.begin, pass.end - pass.begin,
               pass.place.parent, pass.place.spans_before, pass.plan, static_cast<int>(pass.state),
               count);
    }
  }
  if (!data.passes.empty()) {
    NumberList list(text, "stamps");
    for (const PassTicket& ticket : data.passes) {
      Instant before = ticket.pass.start;
      for (std::uint32_t index = 0; index < ticket.count; ++index) {
        list.add(ticket.stamps[index] - before);
        before = ticket.stamps[index];
      }
    }
  }
  if (!data.windows.empty()) {
    NumberList list(text, "windows");
    for (const EnergyWindow& window : data.windows) {
      list.add(window.domain, window.begin - origin, window.duration(), window.energy.value());
    }
  }
  if (std::ranges::any_of(data.windows, &EnergyWindow::stamp_error_ns)) {
    NumberList list(text, "stamp_errors");
    for (const EnergyWindow& window : data.windows) {
      list.add(window.stamp_error_ns);
    }
  }
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
  StepJson rest{{"step", data.step},
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
    rest["power_warnings"] = list_to_json(*data.power_warnings, kWarningColumns);
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
  if (data.complete) {
    rest["complete"] = true;
    rest["warnings"] = list_to_json(data.warnings, kWarningColumns);
  }
  std::string text = rest.dump();
  text.pop_back();  // the object's brace: the lists of numbers go in before it
  add_numbers(data, text);
  text += '}';
  return text;
}

}  // namespace enprof
