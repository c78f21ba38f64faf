#include "record/told_records.hpp"

#include "record/stamp_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace enprof {
namespace {

static_assert(std::endian::native == std::endian::little);

Instant instant(std::uint64_t nanoseconds) {
  return Instant{Nanoseconds{static_cast<Nanoseconds::rep>(nanoseconds)}};
}

/// A time of the probe's clock can be no more than this: 146 years after the machine's start.
bool is_time(std::uint64_t nanoseconds) { return nanoseconds < std::uint64_t{1} << 62U; }

template <std::size_t Size>
std::string text_in(const char (&text)[Size]) {  // NOLINT(modernize-avoid-c-arrays): the record's
  return {text, strnlen(text, Size)};
}

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::malformed, fmt::format("The probe's records are damaged: {}", what));
}

}  // namespace

Result<void> ToldRecords::add(const ProbeCell& cell) {
  if (damage_) {
    return std::unexpected(*damage_);
  }
  Result<void> added;
  switch (awaits_) {
    case Awaits::any:
      added = add_first(cell);
      break;
    case Awaits::tensor:
      if (cell.type == kProbeRecordKind) {
        added = add_kind(cell.kind);
      } else if (cell.type != kProbeRecordTensor) {
        added = damaged(fmt::format("record {} among a graph's tensors", cell.type));
      } else {
        half_ = cell;
        awaits_ = Awaits::tensor_half;
      }
      break;
    case Awaits::tensor_half: {
      ProbeTensor tensor;
      std::memcpy(&tensor, &half_, sizeof half_);
      std::memcpy(reinterpret_cast<char*>(&tensor) + sizeof half_, &cell, sizeof cell);
      awaits_ = Awaits::tensor;
      added = add_tensor(tensor);
      break;
    }
    case Awaits::stamps:
      added = cell.type == kProbeRecordStamps
                  ? add_stamps(cell.stamps)
                  : damaged(fmt::format("record {} among a segment's stamps", cell.type));
      break;
    case Awaits::sequences:
      added = cell.type == kProbeRecordSequences
                  ? add_sequences(cell.sequences)
                  : damaged(fmt::format("record {} among a pass's sequences", cell.type));
      break;
    case Awaits::tokens:
      added = cell.type == kProbeRecordTokens
                  ? add_tokens(cell.tokens)
                  : damaged(fmt::format("record {} among a pass's tokens", cell.type));
      break;
  }
  if (!added) {
    damage_ = added.error();
  }
  return added;
}

Result<void> ToldRecords::add_first(const ProbeCell& cell) {
  switch (cell.type) {
    case kProbeRecordContext: {
      const ProbeContext& told = cell.context;
      if (!is_time(told.at)) {
        return damaged("the time of a context");
      }
      context_ = told.context;
      kinds_.clear();
      segments_.clear();
      sink_.on_context({.number = told.context,
                        .at = instant(told.at),
                        .fusion = told.fusion != 0,
                        .n_ctx = told.n_ctx,
                        .n_batch = told.n_batch,
                        .n_ubatch = told.n_ubatch,
                        .n_seq_max = told.n_seq_max,
                        .model_bytes = told.model_bytes,
                        .model_parameters = told.model_parameters,
                        .layers = told.layers,
                        .embedding = told.embedding,
                        .heads = told.heads,
                        .kv_heads = told.kv_heads,
                        .threads = told.threads});
      return {};
    }
    case kProbeRecordContextEnd:
      if (!is_time(cell.context_end.at)) {
        return damaged("the time of a context's end");
      }
      sink_.on_context_end(context_, instant(cell.context_end.at));
      return {};
    case kProbeRecordText: {
      const ProbeText& told = cell.text;
      if (told.bytes > sizeof told.piece || told.text < kProbeTextModelName ||
          told.text > kProbeTextModelPath) {
        return damaged("a text");
      }
      sink_.on_text(context_, static_cast<ToldText>(told.text), {told.piece, told.bytes});
      return {};
    }
    case kProbeRecordModel:
      if (!is_time(cell.model.begin) || !is_time(cell.model.end) ||
          cell.model.begin > cell.model.end) {
        return damaged("the times of a model");
      }
      sink_.on_model(context_, instant(cell.model.begin), instant(cell.model.end));
      return {};
    case kProbeRecordMemory: {
      const ProbeMemory& told = cell.memory;
      if (!is_time(told.at) || told.what < kProbeMemoryClear || told.what > kProbeMemoryDivide) {
        return damaged("a change of the cache");
      }
      sink_.on_memory(context_, {.what = static_cast<ToldMemory::What>(told.what),
                                 .at = instant(told.at),
                                 .sequence = told.sequence,
                                 .destination = told.destination,
                                 .from = told.from,
                                 .to = told.to,
                                 .delta = told.delta});
      return {};
    }
    case kProbeRecordGraph:
      return begin_graph(cell.graph);
    case kProbeRecordSegment:
      return begin_segment(cell.segment);
    case kProbeRecordPass:
      return begin_pass(cell.pass);
    default:
      return damaged(fmt::format("there is no record {}", cell.type));
  }
}

// ---- graphs ------------------------------------------------------------------------------------

Result<void> ToldRecords::begin_graph(const ProbeGraph& graph) {
  if (graph.graph == 0 || graph.nodes == 0 || graph.nodes > kProbeNodes ||
      graph.tensors < graph.nodes || graph.tensors > kMostTensors) {
    return damaged(fmt::format("a graph of {} nodes and {} tensors", graph.nodes, graph.tensors));
  }
  graph_ = {.number = graph.graph, .nodes = graph.nodes, .tensors = {}};
  graph_.tensors.resize(graph.tensors);
  has_tensor_.assign(graph.tensors, false);
  links_.assign(graph.tensors, {});
  left_ = graph.tensors;
  awaits_ = Awaits::tensor;
  return {};
}

Result<void> ToldRecords::add_kind(const ProbeKind& kind) {
  if (kind.kind != kinds_.size() || kinds_.size() == kMostKinds) {
    return damaged(fmt::format("kind {} of operations after {}", kind.kind, kinds_.size()));
  }
  kinds_.emplace_back(text_in(kind.op), text_in(kind.description));
  return {};
}

Result<void> ToldRecords::add_tensor(const ProbeTensor& told) {
  const std::size_t index = told.self >= kProbeLeaf
                                ? graph_.nodes + (told.self - std::size_t{kProbeLeaf})
                                : told.self - std::size_t{1};
  const bool is_in_place = told.self != 0 && index < graph_.tensors.size() &&
                           (told.self >= kProbeLeaf || index < graph_.nodes);
  if (!is_in_place || has_tensor_[index] || told.kind >= kinds_.size()) {
    return damaged(fmt::format("tensor {} of kind {}", told.self, told.kind));
  }
  ToldTensor& tensor = graph_.tensors[index];
  tensor.op = kinds_[told.kind].first;
  tensor.description = kinds_[told.kind].second;
  tensor.name = text_in(told.name);
  tensor.data_type = told.data_type;
  tensor.flags = told.flags;
  std::ranges::copy(told.extents, tensor.extents.begin());
  tensor.stride = told.stride;
  std::ranges::copy(told.parameters, tensor.parameters.begin());
  links_[index].view_of = told.view_of;
  std::ranges::copy(told.sources, links_[index].sources.begin());
  has_tensor_[index] = true;
  return --left_ == 0 ? end_graph() : Result<void>{};
}

/// All tensors are there: their links are checked. A node reads nothing that runs after it.
Result<void> ToldRecords::end_graph() {
  awaits_ = Awaits::any;
  const auto resolve = [&](std::uint16_t number, std::size_t reader, std::int32_t& index) -> bool {
    if (number == 0) {
      return true;
    }
    const std::size_t target = number >= kProbeLeaf
                                   ? graph_.nodes + (number - std::size_t{kProbeLeaf})
                                   : number - std::size_t{1};
    const bool is_leaf = number >= kProbeLeaf;
    if (target >= graph_.tensors.size() || (!is_leaf && target >= graph_.nodes) ||
        target == reader || (reader < graph_.nodes && !is_leaf && target > reader)) {
      return false;
    }
    index = static_cast<std::int32_t>(target);
    return true;
  };
  for (std::size_t reader = 0; reader < graph_.tensors.size(); ++reader) {
    ToldTensor& tensor = graph_.tensors[reader];
    bool right = resolve(links_[reader].view_of, reader, tensor.view_of);
    for (std::size_t i = 0; i < ToldTensor::kSources; ++i) {
      right = right && resolve(links_[reader].sources[i], reader, tensor.sources[i]);
    }
    if (!right) {
      return damaged(fmt::format("tensor {} reads one that is not there", reader));
    }
  }
  sink_.on_graph(context_, std::move(graph_));
  graph_ = {};
  return {};
}

/// A cell is full, or has the last of what is awaited.
Result<void> ToldRecords::check_count(std::size_t count, std::size_t most,
                                      std::string_view what) const {
  if (const std::size_t due = std::min(left_, most); count != due) {
    return damaged(fmt::format("{} {} where {} were due", count, what, due));
  }
  return {};
}

// ---- passes ------------------------------------------------------------------------------------

Result<void> ToldRecords::begin_segment(const ProbeSegment& told) {
  if (told.pass != segments_pass_) {
    segments_.clear();  // of a pass that did not fit
    segments_pass_ = told.pass;
    stamps_ = 0;
  }
  if (!is_time(told.begin) || !is_time(told.start) || told.begin > told.start) {
    return damaged("the times of a segment");
  }
  stamps_ += told.stamps;
  if (told.stamps == 0 || told.stamps > kProbeNodes || stamps_ > kMostStamps ||
      told.nodes < told.stamps) {
    return damaged(fmt::format("{} operations of {} nodes", told.stamps, told.nodes));
  }
  ToldSegment& segment = segments_.emplace_back();
  segment.graph = told.graph;
  segment.nodes = told.nodes;
  segment.begin = instant(told.begin);
  segment.start = last_end_ = instant(told.start);
  segment.ends.reserve(told.stamps);
  left_ = told.stamps;
  awaits_ = Awaits::stamps;
  return {};
}

Result<void> ToldRecords::add_stamps(const ProbeStamps& told) {
  if (auto due = check_count(told.count, kProbeStampsInCell, "stamps"); !due) {
    return due;
  }
  for (std::size_t i = 0; i < told.count; ++i) {
    last_end_ += decode_stamp(told.durations[i]);
    segments_.back().ends.push_back(last_end_);
  }
  left_ -= told.count;
  awaits_ = left_ == 0 ? Awaits::any : Awaits::stamps;
  return {};
}

Result<void> ToldRecords::begin_pass(const ProbePass& told) {
  if (!is_time(told.begin) || !is_time(told.end) || told.begin > told.end) {
    return damaged("the times of a pass");
  }
  if (told.sequences > kProbeSequences || told.sequences > told.tokens ||
      told.other_tokens > told.tokens || told.outputs > told.tokens) {
    return damaged(fmt::format("a pass of {} tokens in {} sequences", told.tokens, told.sequences));
  }
  if (told.told_tokens > kProbeTokens ||
      (told.told_tokens != 0 && (told.told_tokens != told.tokens || told.sequences == 0))) {
    return damaged(fmt::format("{} of {} tokens are told", told.told_tokens, told.tokens));
  }
  pass_ = {.number = told.pass,
           .result = told.result,
           .begin = instant(told.begin),
           .end = instant(told.end),
           .tokens = told.tokens,
           .outputs = told.outputs,
           .sequences = {},
           .token_ids = {},
           .other_sequences = told.other_sequences,
           .other_tokens = told.other_tokens,
           .thread = told.thread,
           .is_encode = (told.flags & kProbePassEncode) != 0,
           .is_embeddings = (told.flags & kProbePassEmbeddings) != 0,
           .has_shared_tokens = (told.flags & kProbePassSharedTokens) != 0,
           .has_own_callback = (told.flags & kProbePassOwnCallback) != 0,
           .lost_segments = (told.flags & kProbePassLost) != 0,
           .segments = {}};
  told_tokens_ = told.told_tokens;
  left_ = told.sequences;
  if (left_ == 0) {
    end_pass();
  } else {
    awaits_ = Awaits::sequences;
  }
  return {};
}

Result<void> ToldRecords::add_sequences(const ProbeSequences& told) {
  if (auto due = check_count(told.count, kProbeSequencesInCell, "sequences"); !due) {
    return due;
  }
  for (std::size_t i = 0; i < told.count; ++i) {
    const ProbeSequence& sequence = told.sequences[i];
    if (sequence.tokens == 0 || sequence.tokens > pass_.tokens ||
        sequence.outputs > sequence.tokens) {
      return damaged(fmt::format("a sequence of {} tokens", sequence.tokens));
    }
    pass_.sequences.push_back({.id = sequence.id,
                               .first_position = sequence.first_position,
                               .tokens = sequence.tokens,
                               .outputs = sequence.outputs});
  }
  left_ -= told.count;
  return left_ == 0 ? end_sequences() : Result<void>{};
}

Result<void> ToldRecords::end_sequences() {
  if (told_tokens_ == 0) {
    end_pass();
    return {};
  }
  rooms_.clear();
  std::size_t sum = 0;
  for (const BatchSequence& sequence : pass_.sequences) {
    rooms_.push_back({.next = sum, .end = sum + sequence.tokens});
    sum += sequence.tokens;
  }
  if (sum != told_tokens_) {
    return damaged(fmt::format("{} tokens of sequences with {}", told_tokens_, sum));
  }
  pass_.token_ids.resize(sum);
  left_ = sum;
  awaits_ = Awaits::tokens;
  return {};
}

Result<void> ToldRecords::add_tokens(const ProbeTokens& told) {
  if (auto due = check_count(told.count, kProbeTokensInCell, "tokens"); !due) {
    return due;
  }
  for (std::size_t i = 0; i < told.count; ++i) {
    const std::size_t place = told.places[i];
    if (place >= rooms_.size() || rooms_[place].next == rooms_[place].end) {
      return damaged(fmt::format("a token of sequence {}, which has no more", place));
    }
    pass_.token_ids[rooms_[place].next++] = told.ids[i];
  }
  left_ -= told.count;
  if (left_ == 0) {
    end_pass();
  }
  return {};
}

void ToldRecords::end_pass() {
  awaits_ = Awaits::any;
  if (segments_pass_ == pass_.number) {
    pass_.segments = std::move(segments_);
  }
  segments_.clear();
  stamps_ = 0;
  sink_.on_pass(context_, std::move(pass_));
  pass_ = {};
}

}  // namespace enprof
