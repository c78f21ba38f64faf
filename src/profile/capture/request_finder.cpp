#include "profile/capture/request_finder.hpp"

#include "base/counted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace enprof {
namespace {

/// A draft has at most this many tokens; more is a prompt.
constexpr std::uint32_t kLongestDraft = 64;
/// A warm-up computes at most the begin and the end of a text.
constexpr int kMostWarmUps = 2;
constexpr std::uint32_t kMostWarmUpTokens = 2;
/// A program shifts the context when so few positions are free.
constexpr std::int32_t kNearlyFull = 64;

/// A program that is damaged may state any.
std::int32_t position_of(std::int64_t position) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(position, 0, std::numeric_limits<std::int32_t>::max()));
}

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
    Slot& slot = its.slots[sequence.id];
    if (its.is_new) {
      check_warm_up(its, slot, sequence);
    }
    find_request(its, context, slot, sequence);
    add_part(slot, pass, place, sequence);
    slot.turn = its.turns;
    its.highest = std::max(its.highest, slot.next);
  }
}

void RequestFinder::find_request(Context& its, std::uint32_t context, Slot& slot,
                                 const BatchSequence& sequence) {
  const std::int32_t position = sequence.first_position;
  const bool may_be_next = sequence.outputs == sequence.tokens && sequence.tokens <= kLongestDraft;
  const bool goes_on = position == slot.next;
  if (slot.request == kNone) {
    begin_request(slot, context, sequence,
                  position == 0 ? "the first tokens of its sequence"
                                : fmt::format("its sequence began at position {}", position));
  } else if (slot.is_cut) {
    begin_request(slot, context, sequence,
                  position == 0
                      ? std::string{"its sequence began again"}
                      : fmt::format("the program cut its sequence, which went on from position {}",
                                    position));
  } else if (goes_on && slot.in_prompt) {
    // the next part of the prompt
  } else if (goes_on && may_be_next) {
    settle_draft(slot, position);
    requests_[slot.request].context_shifts += slot.is_moved ? 1 : 0;
  } else if (goes_on) {
    forget_draft(slot);
    begin_request(slot, context, sequence,
                  fmt::format("a prompt that continues {} in the cache",
                              counted(static_cast<std::size_t>(position), "token")));
  } else if (slot.is_draft && position > slot.last.first_position && position < slot.next &&
             may_be_next) {
    settle_draft(slot, position);
  } else if (is_shift(its, context, slot, sequence)) {
    forget_draft(slot);
    FoundRequest& request = requests_[slot.request];
    ++request.context_shifts;
    if (!positions_of(context)) {
      say(request, fmt::format("a step back from position {} to {} was taken for a shift of the "
                               "context",
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
}

// ---- what the program did to its cache ----------------------------------------------------------

void RequestFinder::add_change(std::uint32_t context, const ToldMemory& change) {
  const auto found = by_context_.find(context);
  if (found == by_context_.end()) {
    return;
  }
  Context& its = found->second;
  using What = ToldMemory::What;
  const bool is_clear = change.what == What::clear;
  for (auto& [id, slot] : its.slots) {
    const std::int32_t from = is_clear ? 0 : std::max(change.from, 0);
    const bool has_end = is_clear || change.to < 0 || change.to >= slot.next;
    if (slot.request == kNone || !has_end ||
        (!is_clear && change.sequence >= 0 && change.sequence != id)) {
      continue;
    }
    if (is_clear || change.what == What::remove) {
      cut(its, slot, from);
    } else if (change.what == What::add && from < slot.next) {
      forget_draft(slot);
      slot.next = position_of(std::int64_t{slot.next} + change.delta);
      slot.is_moved = true;
    } else if (change.what == What::divide && from < slot.next && change.delta > 0) {
      forget_draft(slot);
      slot.next = (slot.next - 1) / change.delta + 1;
      slot.is_moved = true;
    }
    // A copy, or all others removed for one, is how drafts with several branches go on.
  }
}

/// The program removed what a sequence has from a position on.
void RequestFinder::cut(Context& its, Slot& slot, std::int32_t from) {
  if (its.is_new && from == 0 && drop_warm_up(slot)) {
    // llama-server warms up, and then tries whether the end of a sequence can be removed.
    its.is_new = ++its.warm_ups < kMostWarmUps;
  } else if (slot.is_draft && from > slot.last.first_position && from <= slot.next) {
    settle_draft(slot, from);
    slot.next = from;
    slot.is_tidied = true;
  } else if (from < slot.next) {
    forget_draft(slot);
    slot.is_cut = true;
    slot.next = from;
  } else if (!slot.in_prompt) {
    // A server does so before each prompt, and one that checks drafts after each pass.
    slot.is_cut = slot.is_cut || slot.has_plain_steps;
    slot.is_tidied = true;
  }
}

// ---- warm-ups -----------------------------------------------------------------------------------

/// A context whose first passes computed no more than a warm-up does, and then began again.
void RequestFinder::check_warm_up(Context& its, Slot& slot, const BatchSequence& sequence) {
  if (sequence.tokens > kMostWarmUpTokens || sequence.first_position != 0) {
    its.is_new = false;
  }
  if (sequence.first_position == 0) {
    drop_warm_up(slot);
  }
}

bool RequestFinder::drop_warm_up(Slot& slot) {
  if (slot.request == kNone) {
    return false;
  }
  FoundRequest& request = requests_[slot.request];
  if (request.parts.size() != 1 || request.cached_tokens > 0) {
    return false;
  }
  warm_ups_.push_back(request.parts.front().pass);
  request.parts.clear();
  slot = {};
  return true;
}

// ---- requests -----------------------------------------------------------------------------------

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
    slot.has_plain_steps =
        slot.has_plain_steps || (!request.parts.back().is_prompt && !slot.is_tidied);
  }
  request.parts.push_back(part);
  slot.last = sequence;
  slot.next = position_of(std::int64_t{sequence.first_position} + sequence.tokens);
  slot.is_moved = false;
  slot.is_tidied = false;
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

std::vector<std::size_t> RequestFinder::in_flight(std::uint32_t context) const {
  std::vector<std::size_t> found;
  if (const auto its = by_context_.find(context); its != by_context_.end()) {
    for (const auto& [id, slot] : its->second.slots) {
      if (slot.request != kNone && slot.turn == its->second.turns && !slot.is_cut) {
        found.push_back(slot.request);
      }
    }
  }
  return found;
}

std::vector<std::size_t> RequestFinder::open(std::uint32_t context) const {
  std::vector<std::size_t> found;
  if (const auto its = by_context_.find(context); its != by_context_.end()) {
    for (const auto& [id, slot] : its->second.slots) {
      if (slot.request != kNone) {
        found.push_back(slot.request);
      }
    }
  }
  return found;
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
