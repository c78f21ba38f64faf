// The part of the API that shows experiments.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"
#include "server/router.hpp"

namespace enprof {

/// Lists experiments, analyses them, and shows their trends. Experiments are named by a parameter:
/// their names may hold slashes. Threads: any thread may call the handlers that it adds to the
/// router.
class ExperimentsApi {
 public:
  /// The store must outlive it.
  explicit ExperimentsApi(ProfileDatabase& store) : store_(store) {}
  ExperimentsApi(const ExperimentsApi&) = delete;
  ExperimentsApi& operator=(const ExperimentsApi&) = delete;

  /// This object must outlive the router.
  void add_routes(Router& router);

 private:
  [[nodiscard]] HttpResponse list() const;
  [[nodiscard]] HttpResponse analyze(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse trend(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse page(const HttpRequest& request) const;

  ProfileDatabase& store_;
};

}  // namespace enprof
