#include "server/server_health.hpp"

#include <algorithm>

namespace enprof {

ServerHealth::Component& ServerHealth::find(std::string_view component) {
  const auto found = std::ranges::find(components_, component, &Component::name);
  if (found != components_.end()) {
    return *found;
  }
  components_.push_back({.name = std::string(component),
                         .error = std::nullopt,
                         .since = std::chrono::system_clock::now()});
  return components_.back();
}

void ServerHealth::ok(std::string_view component) {
  const std::lock_guard lock(mutex_);
  Component& entry = find(component);
  if (entry.error) {
    entry.error.reset();
    entry.since = std::chrono::system_clock::now();
  }
}

void ServerHealth::failed(std::string_view component, const Error& error) {
  const std::lock_guard lock(mutex_);
  Component& entry = find(component);
  if (!entry.error) {
    entry.since = std::chrono::system_clock::now();
  }
  entry.error = error;
}

void ServerHealth::report(std::string_view component, const std::optional<Error>& error) {
  if (error) {
    failed(component, *error);
  } else {
    ok(component);
  }
}

std::vector<ServerHealth::Component> ServerHealth::components() const {
  const std::lock_guard lock(mutex_);
  return components_;
}

}  // namespace enprof
