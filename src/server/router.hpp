// Finds the handler of a request.
#pragma once

#include "enprof/base/error.hpp"

#include "server/http_message.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// What a request may have besides its path.
struct RouteAccepts {
  /// Of the query, in the order of the hint; Router::kToken is always accepted.
  std::vector<std::string_view> parameters{};
  bool body = false;
  bool any_parameter = false;  ///< any query is accepted: it is for the page's own script
};

/// The first error in the query of a request that may have these parameters; empty if there is
/// none.
[[nodiscard]] std::optional<Error> wrong_parameter(const HttpRequest& request,
                                                   std::span<const std::string_view> known);

/// Tries routes in the order in which they were added. Threads: const once all are added.
class Router {
 public:
  /// The values of the pattern's {names}, in order.
  using Captures = std::vector<std::string>;
  using Handler = std::function<HttpResponse(const HttpRequest&, const Captures&)>;

  using Accepts = RouteAccepts;
  /// A parameter that replaces a header (see AccessPolicy).
  static constexpr std::string_view kToken = "token";

  /// A pattern is a path whose segments may be {names}, each of which matches one non-empty
  /// segment: "/api/profiling/run/{id}/power". The names of parameters must outlive the router.
  void add(std::string method, std::string_view pattern, Handler handler, Accepts accepts = {});

  /// 404 if no pattern matches; 405, with the allowed methods, if only the method does not match;
  /// 400 for an unknown parameter (with the one that was probably meant), a duplicate parameter, or
  /// a body that the route does not take. HEAD is answered like GET.
  [[nodiscard]] HttpResponse route(const HttpRequest& request) const;

  /// Method and pattern of each route, in order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;
  /// What a route accepts; nothing if there is no such route.
  [[nodiscard]] Accepts accepts(std::string_view method, std::string_view pattern) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
    Accepts accepts;
  };
  std::vector<Route> routes_;
};

}  // namespace enprof
