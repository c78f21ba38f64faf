#include "session/live_requests.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace enprof {

void LiveRequests::clear() {
  const std::lock_guard lock(mutex_);
  finder_ = RequestFinder(std::span<const CapturedContext>{});
  last_.clear();
  sums_ = {};
  next_ = 0;
  has_ended_ = false;
  followed_.clear();
  touched_.clear();
  were_running_.clear();
}

void LiveRequests::add(std::uint32_t context, std::span<const CapturedContext> contexts,
                       const PassRecord& pass, std::span<const BatchSequence> batch) {
  const std::lock_guard lock(mutex_);
  // The pass may change the request that a sequence had before, too: its last draft was rejected.
  const std::vector<std::size_t> before = finder_.open(context);
  finder_.know(contexts);
  finder_.add(next_++, context, batch);
  finder_.know({});  // they may move before the next pass
  followed_.resize(finder_.so_far().size(), {.begin = pass.begin, .end = pass.end});
  for (const std::size_t index : finder_.in_flight(context)) {
    Followed& followed = followed_[index];
    const FoundRequest& request = finder_.so_far()[index];
    if (!followed.first_token && request.output_tokens > 0) {
      // One token after a prompt of which all is wanted: the first one was made by that prompt.
      const bool was_before =
          request.parts.size() > 1 && request.parts[request.parts.size() - 2].outputs > 0;
      followed.first_token = was_before ? followed.end : pass.end;
    }
    followed.end = pass.end;
    touch(index);
  }
  touch_all(before);
  last_[context] = {.begin = pass.begin, .end = pass.end};
  const double time_s = seconds(pass.end - pass.begin);
  ++sums_.passes;
  sums_.pass_s += time_s;
  sums_.sequence_s += time_s * static_cast<double>(batch.size());
}

void LiveRequests::add(const CapturedChange& change) {
  const std::lock_guard lock(mutex_);
  const std::vector<std::size_t> before = finder_.open(change.context);
  finder_.add_change(change.context, change.change);
  touch_all(before);
}

void LiveRequests::end_program() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
}

/// Counts a request as it is now.
void LiveRequests::touch(std::size_t index) {
  const FoundRequest& request = finder_.so_far()[index];
  Followed& followed = followed_[index];
  const bool counts = !request.parts.empty();  // a warm-up has none
  const std::size_t output_tokens = counts ? request.output_tokens : 0;
  sums_.requests = sums_.requests + (counts ? 1U : 0U) - (followed.counts ? 1U : 0U);
  sums_.output_tokens = sums_.output_tokens + output_tokens - followed.output_tokens;
  followed.counts = counts;
  followed.output_tokens = output_tokens;
  if (!followed.is_touched) {
    followed.is_touched = true;
    touched_.push_back(index);
  }
}

void LiveRequests::touch_all(std::span<const std::size_t> indexes) {
  for (const std::size_t index : indexes) {
    touch(index);
  }
}

std::vector<std::size_t> LiveRequests::in_flight(Instant now) const {
  std::vector<std::size_t> found;
  if (has_ended_) {
    return found;
  }
  for (const auto& [context, last] : last_) {
    if (now - last.end <= std::max(kLingering, 3 * (last.end - last.begin))) {
      std::ranges::copy(finder_.in_flight(context), std::back_inserter(found));
    }
  }
  std::ranges::sort(found);
  return found;
}

RequestsSoFar LiveRequests::so_far(Instant now) const {
  const std::lock_guard lock(mutex_);
  RequestsSoFar sums = sums_;
  sums.in_flight = in_flight(now).size();
  return sums;
}

LiveRequest LiveRequests::describe(std::size_t index) const {
  const FoundRequest& request = finder_.so_far()[index];
  const Followed& followed = followed_[index];
  return {.number = index + 1,
          .context = request.context,
          .sequence = request.sequence,
          .begin = followed.begin,
          .end = followed.end,
          .prompt_tokens = request.cached_tokens + request.prompt_tokens,
          .output_tokens = request.output_tokens,
          .first_token = followed.first_token};
}

/// Tells of a request that is not in flight, if that is new.
void LiveRequests::tell_ended(std::size_t index, RequestNews& news) {
  Followed& followed = followed_[index];
  if (!followed.counts) {
    if (followed.is_known) {
      news.taken_back.push_back(index + 1);
      followed.is_known = false;
      followed.told.reset();
    }
    return;
  }
  const LiveRequest now = describe(index);
  if (followed.told != now) {
    news.ended.push_back(now);
    followed.told = now;
    followed.is_known = true;
  }
}

RequestNews LiveRequests::news(Instant now) {
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t> running = in_flight(now);
  RequestNews news{.sums = sums_};
  news.sums.in_flight = running.size();
  for (const std::size_t index : running) {
    followed_[index].told.reset();
    if (news.running.size() < kMostListed) {
      news.running.push_back(describe(index));
      followed_[index].is_known = true;
    }
  }
  std::vector<std::size_t> others = std::exchange(touched_, {});
  for (const std::size_t index : others) {
    followed_[index].is_touched = false;
  }
  std::ranges::copy(were_running_, std::back_inserter(others));
  std::ranges::sort(others);
  const auto repeated = std::ranges::unique(others);
  others.erase(repeated.begin(), repeated.end());
  for (const std::size_t index : others) {
    if (!std::ranges::binary_search(running, index)) {
      tell_ended(index, news);
    }
  }
  news.left_out = running.size() - news.running.size();
  if (news.ended.size() > kMostListed) {
    const std::size_t more = news.ended.size() - kMostListed;
    news.ended.erase(news.ended.begin(), news.ended.begin() + static_cast<std::ptrdiff_t>(more));
    news.left_out += more;
  }
  were_running_ = std::move(running);
  return news;
}

}  // namespace enprof
