#include "live/event_hub.hpp"

#include "base/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

std::string json_string(std::string_view text) { return on_one_line(nlohmann::json(text)); }

std::string envelope(const LiveEvent& event, Nanoseconds at, std::string_view data) {
  std::string text = "{\"seq\":" + std::to_string(event.seq);
  text += ",\"run_id\":" + json_string(event.run_id);
  text += ",\"type\":" + json_string(event.type);
  text += ",\"t_ms\":" + nlohmann::json(to_ms(at)).dump();
  text += ",\"data\":";
  text += data;
  text += '}';
  return text;
}

}  // namespace

std::uint64_t EventHub::first_number_at(std::chrono::system_clock::time_point start) {
  const auto since_1970 =
      std::chrono::duration_cast<std::chrono::microseconds>(start.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since_1970, 1));
}

std::uint64_t EventHub::publish(std::string_view run_id, std::string_view type, Nanoseconds at,
                                std::string_view data) {
  auto event = std::make_shared<LiveEvent>();
  event->run_id = run_id;
  event->type = type;
  std::uint64_t seq = 0;
  {
    const std::lock_guard lock(mutex_);
    seq = ++last_;
    event->seq = seq;
    event->json = envelope(*event, at, data);
    bytes_ += event->json.size();
    events_.push_back(std::move(event));
    while (is_over_limit()) {
      bytes_ -= events_.front()->json.size();
      events_.pop_front();
    }
  }
  const std::lock_guard lock(wake_mutex_);
  for (const auto& [number, wake] : subscribers_) {
    wake();
  }
  return seq;
}

/// Always keeps the latest event, however large.
bool EventHub::is_over_limit() const {
  return events_.size() > 1 && (events_.size() > limits_.events || bytes_ > limits_.bytes);
}

EventHub::Batch EventHub::read(std::uint64_t since, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  Batch batch;
  const std::uint64_t oldest = events_.empty() ? last_ + 1 : events_.front()->seq;
  // Watchers that connect before the first event get the number before it.
  const std::uint64_t begin_of_all = first_number_ - 1;
  batch.restarted = since > last_ || (since != 0 && since < begin_of_all);
  if (batch.restarted || since == 0) {
    since = begin_of_all;
  }
  if (since + 1 < oldest) {
    batch.missed = oldest - 1 - since;
    since = oldest - 1;
  }
  const auto skip = static_cast<std::size_t>(since + 1 - oldest);
  const std::size_t count = std::min(most, events_.size() - skip);
  const auto begin = events_.begin() + static_cast<std::ptrdiff_t>(skip);
  batch.events.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  batch.next = since + count;
  return batch;
}

std::uint64_t EventHub::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::uint64_t EventHub::first() const {
  const std::lock_guard lock(mutex_);
  return events_.empty() ? 0 : events_.front()->seq;
}

std::size_t EventHub::subscribe(std::function<void()> wake) {
  const std::lock_guard lock(wake_mutex_);
  subscribers_.emplace_back(next_subscription_, std::move(wake));
  return next_subscription_++;
}

void EventHub::unsubscribe(std::size_t subscription) {
  const std::lock_guard lock(wake_mutex_);
  std::erase_if(subscribers_, [&](const auto& entry) { return entry.first == subscription; });
}

}  // namespace enprof
