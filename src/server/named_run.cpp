#include "server/named_run.hpp"

#include "server/existing_run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// The runs under way that a name may stand for.
std::vector<std::string> runs_named(const RunsUnderWay& under_way, std::string_view name) {
  std::vector<std::string> ids = under_way.ids();
  if (name == "last") {
    ids.resize(std::min<std::size_t>(ids.size(), 1));
    return ids;
  }
  if (std::ranges::find(ids, name) != ids.end()) {
    return {std::string{name}};
  }
  std::erase_if(ids, [&](const std::string& id) { return !id.starts_with(name); });
  return ids;
}

Result<std::string> resolve(ProfileDatabase& store, const RunsUnderWay& under_way,
                            const std::string& name) {
  std::vector<std::string> ids =
      name.empty() ? std::vector<std::string>{} : runs_named(under_way, name);
  if (ids.size() == 1 && (name == "last" || ids.front() == name)) {
    return std::move(ids.front());
  }
  auto saved = store.resolve(name);
  if (ids.empty() || (!saved && saved.error().code != ErrorCode::not_found)) {
    return saved;
  }
  if (saved && *saved == name) {  // a full id, even if others begin with it
    return saved;
  }
  if (saved && std::ranges::find(ids, *saved) == ids.end()) {  // a running run may be in both
    ids.push_back(*std::move(saved));
  }
  if (ids.size() > 1) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} runs begin with {}", ids.size(), name),
                fmt::format("Type more of the id. They are: {}", fmt::join(ids, ", ")));
  }
  return std::move(ids.front());
}

}  // namespace

Result<NamedRun> named_run(ProfileDatabase& store, const RunsUnderWay& under_way,
                           const std::string& name) {
  const auto id = resolve(store, under_way, name);
  if (!id) {
    return std::unexpected(id.error());
  }
  if (const auto state = under_way.state(*id)) {
    return NamedRun{.run_id = *id,
                    .status = *state == RunsUnderWay::State::running ? "running" : "queued"};
  }
  const auto summary = store.summary(*id);
  if (!summary) {
    return std::unexpected(summary.error());
  }
  if (!*summary) {  // deleted meanwhile
    return std::unexpected(run_not_found(*id));
  }
  return NamedRun{.run_id = *id, .status = std::string{to_string((*summary)->status)}};
}

}  // namespace enprof
