// A request and a response, independent of the HTTP library, so that tests can call everything
// behind the sockets.
#pragma once

#include "base/text_stream.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

struct HttpRequest {
  std::string method;                                       ///< GET, POST, …
  std::string path;                                         ///< percent-decoded, without the query
  std::map<std::string, std::string, std::less<>> query;    ///< decoded
  std::set<std::string, std::less<>> repeated;              ///< names that occur twice in the query
  std::map<std::string, std::string, std::less<>> headers;  ///< names in lower case
  std::string body;

  /// Empty if absent.
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
  }
  [[nodiscard]] std::string_view parameter(std::string_view name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string_view{} : std::string_view{found->second};
  }
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< besides the content type
  std::unique_ptr<TextStream> stream;  ///< the rest of the body, if it is too large for memory
};

}  // namespace enprof
