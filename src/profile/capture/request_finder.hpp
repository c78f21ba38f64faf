// Finds the requests that a program served, from the sequences in its passes.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/capture.hpp"
#include "enprof/model/operation.hpp"

#include "record/told_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// A request's part of a pass.
struct RequestPart {
  std::uint32_t pass = 0;
  std::uint32_t place = 0;  ///< index of its sequence in the pass's batch
  bool is_prompt = false;   ///< it computed the prompt, and not an output token
  /// Output tokens that came of it: their logits were computed here.
  std::uint32_t outputs = 0;

  friend bool operator==(const RequestPart&, const RequestPart&) = default;
};

struct FoundRequest {
  std::uint32_t context = 0;
  std::int32_t sequence = 0;
  std::size_t cached_tokens = 0;    ///< positions before its first token
  std::size_t prompt_tokens = 0;    ///< computed
  std::size_t output_tokens = 0;    ///<
  std::size_t rejected_tokens = 0;  ///< drafts that were computed and not kept
  std::size_t context_shifts = 0;
  std::vector<RequestPart> parts;  ///< by pass; never empty
  std::string how;                 ///< how it was found, and what could not be told

  friend bool operator==(const FoundRequest&, const FoundRequest&) = default;
};

/// Follows each sequence of each context from pass to pass. The engine's numbers of sequences are
/// those of slots, which are used again, so positions tell where a request begins:
///
/// - a sequence that was not seen before, or whose first position is not where it had stopped: a
///   request begins, with the positions before it cached;
/// - several tokens at the place where it had stopped, of which not all logits are wanted: a prompt
///   that continues what is cached (the next turn of a chat): a request begins;
/// - one token there: the next output token; several, all of whose logits are wanted: a draft that
///   is checked;
/// - a step back behind a draft: the rest of the draft was rejected;
/// - a step back with one token, in the next pass of a sequence that is full: the context was
///   shifted, and the request goes on.
///
/// What a program did to its cache decides more, where it is known:
///
/// - it removed the end of a sequence that is no draft: another request comes, wherever it begins;
/// - it removed the end of a draft: the rest of it was rejected, also of the last one;
/// - it removed what comes after the end, which is nothing, and has not done so between all tokens
///   of the request: another comes, even if its prompt is cached but for one token;
/// - it added to the positions of the end: the context was shifted;
/// - it emptied a context that had computed no more than a warm-up does: that was one.
///
/// What cannot be told from all that is said in FoundRequest::how.
/// Threads: one.
class RequestFinder {
 public:
  /// `contexts` must outlive it. Of a context that is not among them nothing is known.
  explicit RequestFinder(std::span<const CapturedContext> contexts) : contexts_(contexts) {}
  /// What is known of contexts by now, in place of what was.
  void know(std::span<const CapturedContext> contexts) { contexts_ = contexts; }

  /// The next pass, in the order of time. Sequences without tokens are ignored.
  void add(std::uint32_t pass, std::uint32_t context, std::span<const BatchSequence> batch);

  /// What the program did to a context's cache, between two passes.
  void add_change(std::uint32_t context, const ToldMemory& change);

  /// Passes that belong to no request, by pass: a context was warmed up.
  [[nodiscard]] const std::vector<std::uint32_t>& warm_ups() const { return warm_ups_; }
  /// All requests in the order in which they began. Call it once, after the last pass.
  [[nodiscard]] std::vector<FoundRequest> finish();
  /// The requests of the passes so far, until finish(): those without parts were warm-ups.
  [[nodiscard]] const std::vector<FoundRequest>& so_far() const { return requests_; }
  /// Those of them that had a part in the last pass of a context, by index: they may go on.
  [[nodiscard]] std::vector<std::size_t> in_flight(std::uint32_t context) const;
  /// Those that the context's sequences belong to, by index. Whatever comes changes no others.
  [[nodiscard]] std::vector<std::size_t> open(std::uint32_t context) const;

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  struct Slot {
    std::size_t request = kNone;
    BatchSequence last{};
    std::int32_t next = 0;   // position after the last token
    std::uint64_t turn = 0;  // of the context, when it was last computed
    bool in_prompt = true;
    bool all_outputs = true;  // the logits of all its tokens were wanted
    bool is_draft = false;    // the last part was a draft
    bool is_cut = false;      // the program removed its end: another request comes
    bool is_moved = false;    // the program added to its positions since the last part
    bool is_tidied = false;   // the program removed nothing, behind its end, since the last part
    bool has_plain_steps = false;  // a token came after another without that
  };
  struct Context {
    std::map<std::int32_t, Slot> slots;
    std::uint64_t turns = 0;   // passes so far
    std::int32_t highest = 0;  // position that any sequence reached
    bool is_new = true;        // nothing was computed but what may be a warm-up
    int warm_ups = 0;          // that the program cleared
  };

  /// Finds out which request the next tokens of a sequence belong to: after that it is the slot's.
  void find_request(Context& its, std::uint32_t context, Slot& slot, const BatchSequence& sequence);
  void cut(Context& its, Slot& slot, std::int32_t from);
  void begin_request(Slot& slot, std::uint32_t context, const BatchSequence& sequence,
                     std::string how);
  void add_part(Slot& slot, std::uint32_t pass, std::uint32_t place, const BatchSequence& sequence);
  [[nodiscard]] std::optional<int> positions_of(std::uint32_t context) const {
    return context < contexts_.size() ? contexts_[context].positions : std::nullopt;
  }
  [[nodiscard]] bool is_shift(const Context& context, std::uint32_t number, const Slot& slot,
                              const BatchSequence& sequence) const;
  void settle_draft(Slot& slot, std::int32_t position);
  void forget_draft(Slot& slot);
  void check_warm_up(Context& its, Slot& slot, const BatchSequence& sequence);
  bool drop_warm_up(Slot& slot);

  std::span<const CapturedContext> contexts_;
  std::map<std::uint32_t, Context> by_context_;
  std::vector<FoundRequest> requests_;
  std::vector<std::uint32_t> warm_ups_;
};

}  // namespace enprof
