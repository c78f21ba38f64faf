#include "server/live_watchers.hpp"

#include "server/live_watcher.hpp"

#include <memory>
#include <utility>

namespace enprof {

boost::asio::awaitable<void> LiveWatchers::watch(boost::beast::tcp_stream stream,
                                                 WireRequest request, std::uint64_t since,
                                                 std::uint64_t last) {
  const auto watcher = std::make_shared<LiveWatcher>(*this, std::move(stream), since, last);
  const auto place = watching_.insert(watching_.end(), watcher.get());
  ++count_;
  const auto leave = [&] {
    --count_;
    watching_.erase(place);
  };
  // Removed here, not in a destructor: if the coroutine is destroyed with the server, the list is
  // gone already.
  try {
    co_await watcher->run(std::move(request));
  } catch (...) {
    leave();
    throw;
  }
  leave();
}

void LiveWatchers::wake() {
  for (LiveWatcher* watcher : watching_) {
    watcher->wake();
  }
}

void LiveWatchers::stop() {
  stopping_ = true;
  for (LiveWatcher* watcher : watching_) {
    watcher->wake_now();
  }
}

std::size_t LiveWatchers::subscribers(std::string_view type) const {
  const std::lock_guard lock(types_mutex_);
  const auto found = types_.find(type);
  return found == types_.end() ? 0 : found->second;
}

void LiveWatchers::count_types(const Types& before, const Types& now) {
  const std::lock_guard lock(types_mutex_);
  for (const std::string& type : now) {
    ++types_[type];
  }
  for (const std::string& type : before) {
    if (--types_[type] == 0) {
      types_.erase(type);
    }
  }
}

}  // namespace enprof
