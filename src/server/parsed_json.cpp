#include "server/parsed_json.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace enprof {

using Json = nlohmann::json;

std::optional<Error> ParsedJson::repetition() const {
  if (!repeated) {
    return std::nullopt;
  }
  return Error{ErrorCode::invalid_argument, fmt::format("'{}' is given more than once", *repeated),
               "Pass it once."};
}

ParsedJson parse_json(std::string_view text) {
  ParsedJson result;
  std::vector<std::set<std::string>> names;  // of the objects that are being read, outermost first
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
  result.json = Json::parse(text, note, false);
  return result;
}

}  // namespace enprof
