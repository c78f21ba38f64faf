#include "profile/capture/request_finder.hpp"

#include "base/counted.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {
namespace {

/// A draft has at most this many tokens; more is a prompt.
constexpr std::uint32_t kLongestDraft = 64;
/// A warm-up computes at most the begin and the end of a text.
constexpr std::uint32_t kMostWarmUpTokens = 2;
/// A program shifts the context when so few positions are free.
constexpr std::int32_t kNearlyFull = 64;

void say(FoundRequest& request, const std::string& what) {
  request.how += (request.how.empty() ? "" : "; ") + what;
}

}  // namespace

void RequestFinder::add(std::uint32_t pass, std::uint32_t context,
                        std::span<const BatchSequence> batch) {
  Context& its = by_context_[context];
  ++its.turns;
  for (std::uint32_t place = 0; place < batch.size(); ++place) {
    const BatchSequence& sequence = batch[place];
    if (sequence.tokens == 0) {
      continue;
    }
    const auto [entry, is_unseen] = its.slots.try_emplace(sequence.id);
    Slot& slot = entry->second;
    if (its.is_new) {
      drop_warm_up(its, slot, sequence);
    }
    const std::int32_t position = sequence.first_position;
    const bool wants_all = sequence.outputs == sequence.tokens;
    const bool goes_on = position == slot.next && slot.request != kNone;
    if (slot.request == kNone) {
      begin_request(slot, context, sequence,
                    position == 0 ? "the first tokens of its sequence"
                                  : fmt::format("its sequence began at position {}", position));
    } else if (goes_on && slot.in_prompt) {
      // the next part of the prompt
    } else if (goes_on && wants_all && sequence.tokens <= kLongestDraft) {
      settle_draft(slot, position);
    } else if (goes_on) {
      forget_draft(slot);
      begin_request(slot, context, sequence,
                    fmt::format("a prompt that continues {} in the cache",
                                counted(static_cast<std::size_t>(position), "token")));
    } else if (slot.is_draft && position > slot.last.first_position && position < slot.next &&
               wants_all && sequence.tokens <= kLongestDraft) {
      settle_draft(slot, position);
    } else if (is_shift(its, context, slot, sequence)) {
      forget_draft(slot);
      FoundRequest& request = requests_[slot.request];
      ++request.context_shifts;
      if (!positions_of(context)) {
        say(request, fmt::format("a step back from position {} to {} was taken for a shift of "
                                 "the context",
                                 slot.next, position));
      }
    } else {
      forget_draft(slot);
      begin_request(
          slot, context, sequence,
          position == 0
              ? std::string{"its sequence began again"}
              : fmt::format("its sequence {} position {}",
                            position < slot.next ? "went back to" : "went on from", position));
    }
    add_part(slot, pass, place, sequence);
    slot.turn = its.turns;
    its.highest = std::max(its.highest, slot.next);
  }
}

/// A context whose first passes computed no more than a warm-up does, and then began again.
void RequestFinder::drop_warm_up(Context& context, Slot& slot, const BatchSequence& sequence) {
  if (sequence.tokens > kMostWarmUpTokens || sequence.first_position != 0) {
    context.is_new = false;
  }
  if (slot.request == kNone || sequence.first_position != 0) {
    return;
  }
  FoundRequest& request = requests_[slot.request];
  if (request.parts.size() == 1 && request.cached_tokens == 0) {
    warm_ups_.push_back(request.parts.front().pass);
    request.parts.clear();
    slot = {};
  }
}

bool RequestFinder::is_shift(const Context& context, std::uint32_t number, const Slot& slot,
                             const BatchSequence& sequence) const {
  const std::int32_t position = sequence.first_position;
  const bool is_next_token =
      sequence.outputs == sequence.tokens && sequence.tokens <= kLongestDraft && !slot.in_prompt;
  if (!is_next_token || position <= 0 || position >= slot.next - 1) {
    return false;
  }
  if (const auto positions = positions_of(number)) {
    return slot.next + kNearlyFull >= *positions;
  }
  return slot.turn + 1 == context.turns && slot.next >= context.highest;
}

void RequestFinder::begin_request(Slot& slot, std::uint32_t context, const BatchSequence& sequence,
                                  std::string how) {
  slot = {};
  slot.request = requests_.size();
  FoundRequest request;
  request.context = context;
  request.sequence = sequence.id;
  request.cached_tokens = static_cast<std::size_t>(std::max(0, sequence.first_position));
  request.how = std::move(how);
  requests_.push_back(std::move(request));
}

void RequestFinder::add_part(Slot& slot, std::uint32_t pass, std::uint32_t place,
                             const BatchSequence& sequence) {
  FoundRequest& request = requests_[slot.request];
  RequestPart part{.pass = pass, .place = place};
  const bool wants_all = sequence.outputs == sequence.tokens;
  if (slot.in_prompt && sequence.tokens > 1 && wants_all && slot.all_outputs) {
    // Embeddings, or scores of a text: a prompt of which all is wanted. A next token may follow.
    part.is_prompt = true;
    request.prompt_tokens += sequence.tokens;
    slot.is_draft = false;
  } else if (slot.in_prompt && slot.all_outputs && request.prompt_tokens > 1 && wants_all) {
    // One token after such a prompt: that was a prompt indeed, and this is an output token.
    request.parts.back().outputs = 1;
    request.output_tokens += 2;
    part.outputs = 1;
    slot.in_prompt = false;
  } else if (slot.in_prompt) {
    part.is_prompt = true;
    request.prompt_tokens += sequence.tokens;
    slot.all_outputs = slot.all_outputs && wants_all;
    if (sequence.outputs > 0) {
      part.outputs = 1;
      ++request.output_tokens;
      slot.in_prompt = false;
    }
  } else {
    part.outputs = 1;
    ++request.output_tokens;
    slot.is_draft = sequence.tokens > 1;
  }
  request.parts.push_back(part);
  slot.last = sequence;
  slot.next = sequence.first_position + static_cast<std::int32_t>(sequence.tokens);
}

/// The request goes on at a position: what a draft had before it was accepted.
void RequestFinder::settle_draft(Slot& slot, std::int32_t position) {
  if (!slot.is_draft) {
    return;
  }
  FoundRequest& request = requests_[slot.request];
  const std::int32_t accepted = position - slot.last.first_position - 1;
  request.output_tokens += static_cast<std::size_t>(accepted);
  request.parts.back().outputs += static_cast<std::uint32_t>(accepted);
  request.rejected_tokens += static_cast<std::size_t>(slot.next - position);
  slot.is_draft = false;
}

void RequestFinder::forget_draft(Slot& slot) {
  if (slot.is_draft && slot.request != kNone) {
    say(requests_[slot.request],
        fmt::format("how much of its last draft of {} was accepted is not known",
                    counted(static_cast<std::size_t>(slot.last.tokens - 1), "token")));
  }
  slot.is_draft = false;
}

std::size_t RequestFinder::in_flight(std::uint32_t context) const {
  const auto its = by_context_.find(context);
  return its == by_context_.end()
             ? 0
             : static_cast<std::size_t>(std::ranges::count_if(its->second.slots, [&](const auto& entry) {
                 return entry.second.turn == its->second.turns;
               }));
}

std::vector<FoundRequest> RequestFinder::finish() {
  for (auto& [number, context] : by_context_) {
    for (auto& [id, slot] : context.slots) {
      forget_draft(slot);
    }
  }
  std::erase_if(requests_, [](const FoundRequest& request) { return request.parts.empty(); });
  by_context_.clear();
  return std::move(requests_);
}

}  // namespace enprof
