// The health of the server's parts.
#pragma once

#include "enprof/base/error.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The last error of each part, and since when it has been in this state. Threads: any.
class ServerHealth {
 public:
  struct Component {
    std::string name;
    std::optional<Error> error;  ///< empty: it works
    /// Since when it has worked, or failed.
    std::chrono::system_clock::time_point since;
  };

  /// The part works; clears its error.
  void ok(std::string_view component);
  void failed(std::string_view component, const Error& error);
  /// One of both; without an error it works.
  void report(std::string_view component, const std::optional<Error>& error);

  /// In the order in which they were first reported.
  [[nodiscard]] std::vector<Component> components() const;

 private:
  Component& find(std::string_view component);

  mutable std::mutex mutex_;
  std::vector<Component> components_;
};

}  // namespace enprof
