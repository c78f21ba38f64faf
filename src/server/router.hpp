// Which part answers which request.
#pragma once

#include "server/http_message.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Routes in the order in which they were added. Threads: const once all are added.
class Router {
 public:
  /// What {names} of the pattern stand for, in their order.
  using Captures = std::vector<std::string>;
  using Handler = std::function<HttpResponse(const HttpRequest&, const Captures&)>;

  /// A pattern is a path whose segments may be {names}, each for one segment that is not empty:
  /// "/api/profiling/run/{id}/power".
  void add(std::string method, std::string_view pattern, Handler handler);

  /// 404 where no pattern matches; 405, with the methods that there are, where only the method does
  /// not. HEAD is answered as GET.
  [[nodiscard]] HttpResponse route(const HttpRequest& request) const;

  /// Method and pattern of each, in their order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace enprof
