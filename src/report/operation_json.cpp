#include "report/operation_json.hpp"

#include "model/run_fields.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <optional>

namespace enprof {
namespace {

/// The names of fields, as a list of JSON.
class EventColumns : public FieldKinds<EventColumns> {
 public:
  template <class Member>
  void operator()(FieldName name, const Member&) {
    text_ += fmt::format("{}\"{}{}\"", text_.empty() ? "[" : ", ", name.in_json,
                         kUnitsForPeople.of<Member>());
  }
  [[nodiscard]] std::string take() { return text_ + "]"; }

 private:
  std::string text_;
};

/// The values of fields, as a list of JSON that is appended to a text.
class EventText : public FieldKinds<EventText> {
 public:
  explicit EventText(std::string& text) : text_(text) {}

  void operator()(FieldName, std::uint32_t value) { append(value); }
  void operator()(FieldName, Nanoseconds value) { append(to_ms(value)); }
  void operator()(FieldName, const std::optional<Joules>& value) {
    value ? append(to_mj(*value)) : append("null");
  }
  void operator()(FieldName, Phase value) { append(fmt::format("\"{}\"", to_string(value))); }
  void index(FieldName, std::int32_t value) { value < 0 ? append("null") : append(value); }
  void finish() { text_ += ']'; }

 private:
  void append(const auto& value) {
    fmt::format_to(std::back_inserter(text_), "{}{}", first_ ? '[' : ',', value);
    first_ = false;
  }

  std::string& text_;
  bool first_ = true;
};

}  // namespace

Json balance_json(const ExpertBalance& balance) {
  return {{"phase", to_string(balance.phase)},
          {"layer", layer_json(balance.layer)},
          {"positions", balance.positions},
          {"load_balance", nullable(balance.load_balance)}};
}

std::string event_columns() {
  const OperationEvent any{};
  EventColumns columns;
  kOperationEventFields(columns, any);
  return columns.take();
}

void append_event(std::string& text, const OperationEvent& event) {
  EventText values(text);
  kOperationEventFields(values, event);
  values.finish();
}

}  // namespace enprof
