// Whatever another program writes into the memory that it shares with enprof: its records are
// decoded or refused, and what is decoded keeps its promises.
#include "fuzz/check.hpp"
#include "record/told_records.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using namespace enprof;

/// Looks at all that the reader would use.
class Checker final : public ToldSink {
 public:
  void on_context(const ToldContext&) override {}
  void on_text(std::uint32_t, ToldText, const std::string& piece) override {
    fuzz::check(piece.size() <= kProbeCellBytes, "a piece is part of a cell");
  }
  void on_model(std::uint32_t, Instant begin, Instant end) override {
    fuzz::check(begin <= end, "loading ends after it began");
  }
  void on_graph(std::uint32_t, ToldGraph graph) override {
    fuzz::check(graph.nodes > 0 && graph.nodes <= graph.tensors.size(), "nodes are tensors");
    for (const ToldTensor& tensor : graph.tensors) {
      check_link(graph, tensor.view_of);
      for (const std::int32_t source : tensor.sources) {
        check_link(graph, source);
      }
    }
  }
  void on_pass(std::uint32_t, ToldPass pass) override {
    fuzz::check(pass.begin <= pass.end, "a pass ends after it began");
    for (const BatchSequence& sequence : pass.sequences) {
      fuzz::check(sequence.tokens > 0 && sequence.tokens <= pass.tokens, "its tokens are known");
    }
    std::size_t tokens = 0;
    for (const BatchSequence& sequence : pass.sequences) {
      tokens += sequence.tokens;
    }
    fuzz::check(pass.token_ids.empty() || pass.token_ids.size() == tokens, "all tokens or none");
    for (const ToldSegment& segment : pass.segments) {
      fuzz::check(!segment.ends.empty() && segment.begin <= segment.start, "it has operations");
      Instant last = segment.start;
      for (const Instant end : segment.ends) {
        fuzz::check(end >= last, "operations follow each other");
        last = end;
      }
    }
  }
  void on_memory(std::uint32_t, const ToldMemory&) override {}
  void on_context_end(std::uint32_t, Instant) override {}

 private:
  static void check_link(const ToldGraph& graph, std::int32_t index) {
    fuzz::check(
        index >= ToldTensor::kNone && index < static_cast<std::int32_t>(graph.tensors.size()),
        "a link leads to a tensor");
  }
};

}  // namespace

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Checker checker;
  ToldRecords records(checker);
  for (; size >= sizeof(ProbeCell); data += sizeof(ProbeCell), size -= sizeof(ProbeCell)) {
    ProbeCell cell;
    std::memcpy(&cell, data, sizeof cell);
    if (!records.add(cell)) {
      break;
    }
  }
  return 0;
}
