#include "profile/capture/capture_pieces.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <ranges>
#include <utility>

namespace enprof {
namespace {

CapturePartKind part_of(CapturedWorkKind kind) {
  switch (kind) {
    case CapturedWorkKind::loading:
      return CapturePartKind::loading;
    case CapturedWorkKind::warm_up:
      return CapturePartKind::warm_up;
    case CapturedWorkKind::cache_move:
      return CapturePartKind::cache_moves;
  }
  return CapturePartKind::unassigned;
}

/// Which requests are in flight, for instants that ascend.
class InFlight {
 public:
  InFlight(const CaptureRecording& recording, const std::vector<FoundRequest>& requests) {
    const std::vector<PassRecord>& passes = recording.passes.passes;
    for (const FoundRequest& request : requests) {
      ranges_.push_back(
          {passes[request.parts.front().pass].begin, passes[request.parts.back().pass].end});
    }
    order_.resize(ranges_.size());
    std::ranges::copy(std::views::iota(0U, static_cast<std::uint32_t>(ranges_.size())),
                      order_.begin());
    std::ranges::stable_sort(order_, {},
                             [this](std::uint32_t index) { return ranges_[index].begin; });
  }
  /// Those that began at `from` or before and end at `to` or later.
  [[nodiscard]] const std::vector<std::uint32_t>& at(Instant from, Instant to) {
    while (next_ < order_.size() && ranges_[order_[next_]].begin <= from) {
      open_.push_back(order_[next_++]);
    }
    std::erase_if(open_, [&](std::uint32_t index) { return ranges_[index].end <= from; });
    found_.clear();
    std::ranges::copy_if(open_, std::back_inserter(found_),
                         [&](std::uint32_t index) { return ranges_[index].end >= to; });
    return found_;
  }

 private:
  struct Range {
    Instant begin;
    Instant end;
  };
  std::vector<Range> ranges_;         // by request
  std::vector<std::uint32_t> order_;  // by begin
  std::vector<std::uint32_t> open_;
  std::vector<std::uint32_t> found_;
  std::size_t next_ = 0;
};

class Cutter {
 public:
  Cutter(const CaptureRecording& recording, const CaptureRequests& found, Instant begin,
         Instant end, Nanoseconds longest_between)
      : recording_(recording),
        passes_(recording.passes.passes),
        found_(found),
        in_flight_(recording, found.requests),
        begin_(begin),
        end_(end),
        longest_between_(longest_between) {}

  std::vector<CapturePiece> cut() {
    Instant done = begin_;
    for (std::size_t first = 0; first < passes_.size();) {
      // Passes that overlap, one chained to the next.
      std::size_t last = first + 1;
      Instant until = passes_[first].end;
      while (last < passes_.size() && passes_[last].begin < until) {
        until = std::max(until, passes_[last++].end);
      }
      const Instant from = std::clamp(passes_[first].begin, done, std::max(done, end_));
      const Instant to = std::clamp(until, from, std::max(from, end_));
      if (to > from) {
        add_between(done, from);
        add_passes(first, last, from, to);
        done = to;
      }
      first = last;
    }
    add_between(done, end_);
    return std::move(pieces_);
  }

 private:
  void add_passes(std::size_t first, std::size_t last, Instant from, Instant to) {
    if (last == first + 1) {
      const PassRecord& pass = passes_[first];
      pieces_.push_back({.begin = from,
                         .end = to,
                         .part = part_of_pass(first),
                         .passes = {static_cast<std::uint32_t>(first)},
                         .is_whole_pass = from == pass.begin && to == pass.end});
      return;
    }
    std::vector<Instant> cuts{from, to};
    for (std::size_t index = first; index < last; ++index) {
      for (const Instant at : {passes_[index].begin, passes_[index].end}) {
        if (at > from && at < to) {
          cuts.push_back(at);
        }
      }
    }
    std::ranges::sort(cuts);
    const auto repeated = std::ranges::unique(cuts);
    cuts.erase(repeated.begin(), repeated.end());
    for (std::size_t cut = 0; cut + 1 < cuts.size(); ++cut) {
      CapturePiece piece{
          .begin = cuts[cut], .end = cuts[cut + 1], .part = CapturePartKind::warm_up};
      for (std::size_t index = first; index < last; ++index) {
        if (passes_[index].begin <= piece.begin && passes_[index].end >= piece.end) {
          piece.passes.push_back(static_cast<std::uint32_t>(index));
          if (part_of_pass(index) == CapturePartKind::requests) {
            piece.part = CapturePartKind::requests;
          }
        }
      }
      pieces_.push_back(std::move(piece));
    }
  }

  [[nodiscard]] CapturePartKind part_of_pass(std::size_t index) const {
    if (found_.is_warm_up[index]) {
      return CapturePartKind::warm_up;
    }
    const PassRecord& pass = passes_[index];
    for (std::size_t place = 0; place < pass.sequence_count; ++place) {
      if (found_.owner(pass, place).request != CaptureRequests::kNone) {
        return CapturePartKind::requests;
      }
    }
    return CapturePartKind::unassigned;  // its batch is not known
  }

  /// Time in which no pass ran: cut where stated work or the life of a model begins or ends.
  void add_between(Instant from, Instant to) {
    if (to <= from) {
      return;
    }
    std::vector<Instant> cuts{from, to};
    const auto cut_at = [&](Instant at) {
      if (at > from && at < to) {
        cuts.push_back(at);
      }
    };
    const std::span<const CapturedWork> works = recording_.work;
    while (next_work_ < works.size() && works[next_work_].end <= from) {
      ++next_work_;
    }
    for (std::size_t work = next_work_; work < works.size() && works[work].begin < to; ++work) {
      cut_at(works[work].begin);
      cut_at(works[work].end);
    }
    for (const CapturedModel& model : recording_.models) {
      cut_at(model.begin);
      cut_at(model.loaded);
      cut_at(model.freed.value_or(to));
    }
    std::ranges::sort(cuts);
    const auto repeated = std::ranges::unique(cuts);
    cuts.erase(repeated.begin(), repeated.end());
    const std::vector<std::uint32_t>& requests = in_flight_.at(from, to);
    const bool is_short = to - from <= longest_between_;
    for (std::size_t cut = 0; cut + 1 < cuts.size(); ++cut) {
      CapturePiece piece{.begin = cuts[cut], .end = cuts[cut + 1]};
      if (const auto stated = work_at(piece.begin)) {
        piece.part = *stated;
      } else if (!requests.empty() && is_short) {
        piece.part = CapturePartKind::requests;
        piece.requests = requests;
      } else if (requests.empty() && is_loaded(piece.begin)) {
        piece.part = CapturePartKind::idle_while_loaded;
      }
      pieces_.push_back(std::move(piece));
    }
  }

  [[nodiscard]] std::optional<CapturePartKind> work_at(Instant at) const {
    const std::span<const CapturedWork> works = recording_.work;
    for (std::size_t work = next_work_; work < works.size() && works[work].begin <= at; ++work) {
      if (at < works[work].end) {
        return part_of(works[work].kind);
      }
    }
    const bool loads = std::ranges::any_of(recording_.models, [at](const CapturedModel& model) {
      return model.begin <= at && at < model.loaded;
    });
    return loads ? std::optional{CapturePartKind::loading} : std::nullopt;
  }

  /// A program whose models are not known has one from its first pass on.
  [[nodiscard]] bool is_loaded(Instant at) const {
    if (recording_.models.empty()) {
      return !passes_.empty() && at >= passes_.front().begin;
    }
    return std::ranges::any_of(recording_.models, [at](const CapturedModel& model) {
      return model.loaded <= at && (!model.freed || at < *model.freed);
    });
  }

  const CaptureRecording& recording_;
  const std::vector<PassRecord>& passes_;
  const CaptureRequests& found_;
  InFlight in_flight_;
  Instant begin_;
  Instant end_;
  Nanoseconds longest_between_;
  std::size_t next_work_ = 0;  // the first that may not be over
  std::vector<CapturePiece> pieces_;
};

}  // namespace

CaptureRequests find_requests(const CaptureRecording& recording,
                              std::span<const CapturedContext> contexts) {
  const PassRecordingView passes = recording.passes.view();
  CaptureRequests found;
  found.owner_of.resize(passes.sequences.size());
  found.is_warm_up.resize(passes.passes.size());
  std::vector<CapturedWork> warm_ups;
  std::ranges::copy_if(recording.work, std::back_inserter(warm_ups), [](const CapturedWork& work) {
    return work.kind == CapturedWorkKind::warm_up;
  });
  RequestFinder finder(contexts);
  auto change = recording.changes.begin();
  const auto add_changes = [&](Instant until) {
    for (; change != recording.changes.end() && change->change.at <= until; ++change) {
      finder.add_change(change->context, change->change);
    }
  };
  for (std::size_t index = 0; index < passes.passes.size(); ++index) {
    const PassRecord& pass = passes.passes[index];
    add_changes(pass.begin);
    found.is_warm_up[index] = std::ranges::any_of(warm_ups, [&](const CapturedWork& work) {
      return work.begin <= pass.begin && pass.end <= work.end;
    });
    if (!found.is_warm_up[index]) {
      const std::uint32_t context =
          index < recording.context_of.size() ? recording.context_of[index] : 0;
      finder.add(static_cast<std::uint32_t>(index), context, passes.sequences_of(pass));
    }
  }
  add_changes(Instant::max());
  for (const std::uint32_t pass : finder.warm_ups()) {
    found.is_warm_up[pass] = true;
  }
  found.requests = finder.finish();
  for (std::size_t request = 0; request < found.requests.size(); ++request) {
    for (const RequestPart& part : found.requests[request].parts) {
      const std::size_t at = passes.passes[part.pass].first_sequence + part.place;
      found.owner_of[at] = {.request = static_cast<std::uint32_t>(request),
                            .is_prompt = part.is_prompt};
    }
  }
  return found;
}

std::vector<CapturePiece> cut_capture(const CaptureRecording& recording,
                                      const CaptureRequests& found, Instant begin, Instant end,
                                      Nanoseconds longest_between) {
  return Cutter(recording, found, begin, end, longest_between).cut();
}

}  // namespace enprof
