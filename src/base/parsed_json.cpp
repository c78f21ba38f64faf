#include "base/parsed_json.hpp"

#include "base/json_node.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace enprof {

using Json = nlohmann::json;

void ParsedJson::refuse_repetition() const {
  if (repeated) {
    throw JsonError(fmt::format("'{}' is given more than once", *repeated), "Pass it once.");
  }
}

ParsedJson parse_json(std::string_view text, bool must_parse) {
  ParsedJson result;
  std::vector<std::set<std::string>> names;  // of the objects being read, outermost first
  const auto note = [&](int, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      names.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      names.pop_back();
    } else if (event == Json::parse_event_t::key && !result.repeated &&
               !names.back().insert(parsed.get<std::string>()).second) {
      result.repeated = parsed.get<std::string>();
    }
    return true;
  };
  result.json = Json::parse(text, note, must_parse);
  return result;
}

}  // namespace enprof
