#include "cli/event_line.hpp"

#include "base/json_text.hpp"
#include "base/printable.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace enprof {
namespace {

/// Text from others without blanks and control characters.
std::string as_word(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    const std::string_view bytes = text.substr(0, point.length);
    text.remove_prefix(point.length);
    result += point.valid && is_printable(point.value) && bytes != " " ? bytes : "_";
  }
  return result;
}

/// A field of the envelope: never with a blank, never empty.
std::string word(const Json& event, const char* key) {
  const auto found = event.find(key);
  if (found == event.end() || found->is_null() || *found == "") {
    return "-";
  }
  return as_word(found->is_string() ? found->get<std::string>() : on_one_line(*found));
}

void append_rails(std::string& line, const Json& rails) {
  for (const Json& rail : rails) {
    if (rail.is_object() && rail.contains("power_mw")) {
      line += fmt::format(" rail.{}_mw={}", word(rail, "name"), on_one_line(rail["power_mw"]));
    }
  }
}

}  // namespace

std::string event_line(const Json& event) {
  std::string line = fmt::format("{} {} {} {}", word(event, "seq"), word(event, "run_id"),
                                 word(event, "t_ms"), word(event, "type"));
  const auto data = event.find("data");
  if (data == event.end() || !data->is_object()) {
    return line;
  }
  for (const auto& [key, value] : data->items()) {
    if (key == "rails" && value.is_array()) {
      append_rails(line, value);
    } else if (value.is_structured()) {
      line += fmt::format(" {}={}", as_word(key), value.size());
    } else {
      line += fmt::format(" {}={}", as_word(key), on_one_line(value));
    }
  }
  return line;
}

}  // namespace enprof
