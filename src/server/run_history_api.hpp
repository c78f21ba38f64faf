// The part of the API that shows finished runs.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"
#include "server/router.hpp"
#include "server/runs_under_way.hpp"

#include <string>

namespace enprof {

/// Lists runs, shows them and their parts, compares and exports them. Reports if a run has not
/// ended yet. Threads: any thread may call the handlers that it adds to the router.
class RunHistoryApi {
 public:
  /// Both must outlive it.
  RunHistoryApi(ProfileDatabase& store, const RunsUnderWay& under_way)
      : store_(store), under_way_(under_way) {}
  RunHistoryApi(const RunHistoryApi&) = delete;
  RunHistoryApi& operator=(const RunHistoryApi&) = delete;

  /// This object must outlive the router.
  void add_routes(Router& router);

 private:
  [[nodiscard]] HttpResponse list_runs(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse resolve(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse get_run(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse summary(const std::string& id) const;
  [[nodiscard]] HttpResponse pipeline(const std::string& id) const;
  [[nodiscard]] HttpResponse power(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse matrix(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse operations(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse compare(const HttpRequest& request) const;

  ProfileDatabase& store_;
  const RunsUnderWay& under_way_;
};

}  // namespace enprof
