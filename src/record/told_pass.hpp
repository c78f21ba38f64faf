// What a probe in another program tells of its inference: plain data, checked and decoded.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/operation.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

/// A tensor of a graph, as the program's own ggml describes it.
struct ToldTensor {
  static constexpr std::size_t kSources = 10;

  std::string op;           ///< ggml_op_name: MUL_MAT, UNARY, …
  std::string description;  ///< ggml_op_desc: that of UNARY and GLU is which of them
  std::string name;
  std::uint32_t data_type = 0;  ///< ggml_type; the same numbers in all versions, as files hold them
  std::uint32_t flags = 0;      ///< ggml_tensor_flag
  std::array<std::int64_t, 4> extents{};
  std::uint32_t stride = 0;  ///< nb[0]
  std::array<std::int32_t, 2> parameters{};
  /// Indices into ToldGraph::tensors; kNone: none.
  std::int32_t view_of = kNone;
  std::array<std::int32_t, kSources> sources = no_sources();
  static constexpr std::int32_t kNone = -1;

  friend bool operator==(const ToldTensor&, const ToldTensor&) = default;

 private:
  static constexpr std::array<std::int32_t, kSources> no_sources() {
    std::array<std::int32_t, kSources> none{};
    none.fill(-1);
    return none;
  }
};

/// A graph, or the part of it that one backend runs.
struct ToldGraph {
  std::uint32_t number = 0;         ///< counts the context's graphs from 1
  std::size_t nodes = 0;            ///< the first of `tensors`, in the order in which they run
  std::vector<ToldTensor> tensors;  ///< nodes, then what they read: weights, inputs, the cache

  friend bool operator==(const ToldGraph&, const ToldGraph&) = default;
};

/// One evaluation of a graph within a pass.
struct ToldSegment {
  std::uint32_t graph = 0;  ///< 0: it was not told
  std::size_t nodes = 0;
  Instant begin;              ///< before it was prepared
  Instant start;              ///< of its first operation
  std::vector<Instant> ends;  ///< of its operations

  friend bool operator==(const ToldSegment&, const ToldSegment&) = default;
};

/// One call of llama_decode() or llama_encode().
struct ToldPass {
  std::uint32_t number = 0;  ///< counts the context's passes from 1
  std::int32_t result = 0;   ///< what it returned; 0: done
  Instant begin;
  Instant end;
  std::uint32_t tokens = 0;   ///< 0: not known
  std::uint32_t outputs = 0;  ///< of these, those whose logits or embeddings are wanted
  /// Sequences with tokens in the batch, in their order there. A first position of −1 is not known.
  std::vector<BatchSequence> sequences;
  /// What was computed of each sequence, one sequence after the other, each with as many as its
  /// `tokens` say. Empty: not told.
  std::vector<std::int32_t> token_ids;
  std::uint32_t other_sequences = 0;  ///< beyond those
  std::uint32_t other_tokens = 0;     ///< theirs
  std::uint32_t thread = 0;           ///< the system's number of the thread
  bool is_encode = false;
  bool is_embeddings = false;      ///< the input is not tokens
  bool has_shared_tokens = false;  ///< some belong to several sequences: they count for the first
  bool has_own_callback = false;   ///< the program's eval callback was called, and nothing timed
  bool lost_segments = false;      ///< some did not fit into the ring
  std::vector<ToldSegment> segments;

  friend bool operator==(const ToldPass&, const ToldPass&) = default;
};

/// A context of llama.cpp, and its model. 0 or empty: not known.
struct ToldContext {
  std::uint32_t number = 0;  ///< counts the process's contexts from 1
  Instant at;
  bool fusion = true;  ///< the CPU backend may run two operations as one
  std::uint32_t n_ctx = 0;
  std::uint32_t n_batch = 0;
  std::uint32_t n_ubatch = 0;
  std::uint32_t n_seq_max = 0;
  std::uint64_t model_bytes = 0;
  std::uint64_t model_parameters = 0;
  std::uint32_t layers = 0;
  std::uint32_t embedding = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t threads = 0;

  friend bool operator==(const ToldContext&, const ToldContext&) = default;
};

/// Texts of a context's model.
enum class ToldText : std::uint8_t { model_name = 1, architecture, description, model_path };

/// What a program did to the sequences in a context's cache.
struct ToldMemory {
  enum class What : std::uint8_t { clear = 1, remove, copy, keep, add, divide };

  What what = What::clear;
  Instant at;
  std::int32_t sequence = -1;     ///< −1: all
  std::int32_t destination = -1;  ///< of a copy
  std::int32_t from = -1;         ///< first position; below 0: the first
  std::int32_t to = -1;           ///< beyond the last; below 0: no limit
  std::int32_t delta = 0;         ///< what is added to positions, or what they are divided by

  friend bool operator==(const ToldMemory&, const ToldMemory&) = default;
};

/// Receives what one ring tells, in its order. A context's number comes with each call: a ring is
/// used by one context after the other.
class ToldSink {
 public:
  ToldSink() = default;
  ToldSink(const ToldSink&) = delete;
  ToldSink& operator=(const ToldSink&) = delete;
  virtual ~ToldSink() = default;

  virtual void on_context(const ToldContext& context) = 0;
  virtual void on_text(std::uint32_t context, ToldText which, const std::string& piece) = 0;
  virtual void on_model(std::uint32_t context, Instant begin, Instant end) = 0;
  virtual void on_graph(std::uint32_t context, ToldGraph graph) = 0;
  virtual void on_pass(std::uint32_t context, ToldPass pass) = 0;
  virtual void on_memory(std::uint32_t context, const ToldMemory& memory) = 0;
  virtual void on_context_end(std::uint32_t context, Instant at) = 0;
};

}  // namespace enprof
