#include "server/http_request.hpp"

#include <boost/url/parse.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

namespace enprof {

HttpRequest parse_target(std::string_view target) {
  HttpRequest result;
  const auto url = boost::urls::parse_origin_form({target.data(), target.size()});
  if (!url) {
    return result;
  }
  result.path = url->path();
  for (const auto& parameter : url->params()) {
    result.query[std::string(parameter.key)] = std::string(parameter.value);
  }
  return result;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return result;
}

std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t last) {
  if (text.empty()) {
    return last;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{number}
                                                                  : std::nullopt;
}

}  // namespace enprof
