// Which part answers which request.
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

/// What a request may bring beside its path.
struct RouteAccepts {
  /// Of the query, in the order in which they are told; Router::kToken is always among them.
  std::vector<std::string_view> parameters{};
  bool body = false;
  bool any_parameter = false;  ///< the query is not ours: a page's own
};

/// What is wrong with the query of a request that may have these parameters; absent where nothing
/// is.
[[nodiscard]] std::optional<Error> wrong_parameter(const HttpRequest& request,
                                                   std::span<const std::string_view> known);

/// Routes in the order in which they were added. Threads: const once all are added.
class Router {
 public:
  /// What {names} of the pattern stand for, in their order.
  using Captures = std::vector<std::string>;
  using Handler = std::function<HttpResponse(const HttpRequest&, const Captures&)>;

  using Accepts = RouteAccepts;
  /// The parameter that stands for a header (see AccessPolicy).
  static constexpr std::string_view kToken = "token";

  /// A pattern is a path whose segments may be {names}, each for one segment that is not empty:
  /// "/api/profiling/run/{id}/power". Names of parameters outlive it.
  void add(std::string method, std::string_view pattern, Handler handler, Accepts accepts = {});

  /// 404 where no pattern matches; 405, with the methods that there are, where only the method does
  /// not; 400, with the one that was probably meant, for a parameter that the route does not have
  /// or that comes twice, and for a body where it takes none. HEAD is answered as GET.
  [[nodiscard]] HttpResponse route(const HttpRequest& request) const;

  /// Method and pattern of each, in their order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;
  /// What a route accepts; nothing where there is no such route.
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
