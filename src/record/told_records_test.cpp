#include "record/told_records.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// Keeps all that it is told.
class Kept final : public ToldSink {
 public:
  void on_context(const ToldContext& context) override { contexts.push_back(context); }
  void on_text(std::uint32_t, ToldText which, const std::string& piece) override {
    texts[which] += piece;
  }
  void on_model(std::uint32_t, Instant begin, Instant end) override { loading = end - begin; }
  void on_graph(std::uint32_t, ToldGraph graph) override { graphs.push_back(std::move(graph)); }
  void on_pass(std::uint32_t, ToldPass pass) override { passes.push_back(std::move(pass)); }
  void on_memory(std::uint32_t, const ToldMemory& memory) override { changes.push_back(memory); }
  void on_context_end(std::uint32_t, Instant) override { ++ends; }

  std::vector<ToldContext> contexts;
  std::map<ToldText, std::string> texts;
  Nanoseconds loading{0};
  std::vector<ToldGraph> graphs;
  std::vector<ToldPass> passes;
  std::vector<ToldMemory> changes;
  std::size_t ends = 0;
};

template <std::size_t Size>
void copy_text(char (&to)[Size], std::string_view text) {  // NOLINT(modernize-avoid-c-arrays)
  std::ranges::copy(text.substr(0, Size), to);
}

Instant at(std::int64_t nanoseconds) { return Instant{Nanoseconds{nanoseconds}}; }

class ToldRecordsTest : public ::testing::Test {
 protected:
  static ProbeCell empty() {
    ProbeCell cell;
    std::memset(&cell, 0, sizeof cell);
    return cell;
  }
  static ProbeCell context() {
    ProbeCell cell = empty();
    cell.context = {.type = kProbeRecordContext, .fusion = 1, .context = 4, .at = 77, .n_ctx = 512};
    return cell;
  }
  static ProbeCell kind(std::uint16_t number, std::string_view op, std::string_view description) {
    ProbeCell cell = empty();
    cell.kind.type = kProbeRecordKind;
    cell.kind.kind = number;
    copy_text(cell.kind.op, op);
    copy_text(cell.kind.description, description);
    return cell;
  }
  static ProbeCell graph(std::uint32_t nodes, std::uint32_t tensors) {
    ProbeCell cell = empty();
    cell.graph = {.type = kProbeRecordGraph, .graph = 1, .nodes = nodes, .tensors = tensors};
    return cell;
  }
  static ProbeTensor tensor(std::uint16_t self, std::uint16_t kind, std::string_view name) {
    ProbeTensor told{};
    told.type = kProbeRecordTensor;
    told.kind = kind;
    told.self = self;
    told.extents[0] = 64;
    copy_text(told.name, name);
    return told;
  }
  static ProbeCell segment(std::uint32_t pass, std::uint32_t stamps) {
    ProbeCell cell = empty();
    cell.segment = {.type = kProbeRecordSegment,
                    .pass = pass,
                    .graph = 1,
                    .stamps = stamps,
                    .nodes = stamps,
                    .begin = 1000,
                    .start = 1100};
    return cell;
  }
  static ProbeCell stamps(std::uint16_t count) {
    ProbeCell cell = empty();
    cell.stamps.type = kProbeRecordStamps;
    cell.stamps.count = count;
    std::fill_n(cell.stamps.durations, count, 10U);
    return cell;
  }
  static ProbeCell pass(std::uint32_t number, std::uint32_t tokens, std::uint32_t sequences) {
    ProbeCell cell = empty();
    cell.pass = {.type = kProbeRecordPass,
                 .flags = kProbePassSharedTokens,
                 .pass = number,
                 .begin = 900,
                 .end = 2000,
                 .tokens = tokens,
                 .outputs = std::min(tokens, 1U),
                 .sequences = sequences};
    return cell;
  }
  static ProbeCell sequences(std::uint16_t count, std::uint32_t tokens = 1) {
    ProbeCell cell = empty();
    cell.sequences.type = kProbeRecordSequences;
    cell.sequences.count = count;
    for (std::uint16_t i = 0; i < count; ++i) {
      cell.sequences.sequences[i] = {.id = i, .first_position = 7, .tokens = tokens};
    }
    return cell;
  }
  /// All of them are told.
  static ProbeCell pass_with_tokens(std::uint32_t tokens, std::uint32_t sequences) {
    ProbeCell cell = pass(1, tokens, sequences);
    cell.pass.told_tokens = tokens;
    return cell;
  }
  static ProbeCell tokens(const std::vector<std::pair<std::int32_t, std::uint8_t>>& told) {
    ProbeCell cell = empty();
    cell.tokens.type = kProbeRecordTokens;
    cell.tokens.count = static_cast<std::uint16_t>(told.size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      cell.tokens.ids[i] = told[i].first;
      cell.tokens.places[i] = told[i].second;
    }
    return cell;
  }
  void add(const ProbeCell& cell) {
    const auto added = records_.add(cell);
    EXPECT_TRUE(added) << added.error().message;
  }
  void add(const ProbeTensor& told) {
    std::array<ProbeCell, 2> halves;
    std::memcpy(&halves, &told, sizeof told);
    add(halves[0]);
    add(halves[1]);
  }
  void refuse(const ProbeCell& cell, std::string_view reason) {
    const auto added = records_.add(cell);
    ASSERT_FALSE(added);
    EXPECT_NE(added.error().message.find(reason), std::string::npos) << added.error().message;
    EXPECT_EQ(added.error().code, ErrorCode::malformed);
    EXPECT_FALSE(records_.add(context())) << "what comes after a lie is not believed";
  }

  Kept kept_;
  ToldRecords records_{kept_};
};

TEST_F(ToldRecordsTest, AGraphIsCompleteWithItsLastTensor) {
  add(context());
  add(graph(2, 3));
  add(kind(0, "MUL_MAT", "MUL_MAT"));
  add(tensor(kProbeLeaf, 0, "blk.0.attn_q.weight"));
  ProbeTensor first = tensor(1, 0, "Qcur-0");
  first.sources[0] = kProbeLeaf;
  add(first);
  EXPECT_TRUE(kept_.graphs.empty());
  add(kind(1, "UNARY", "SILU"));
  ProbeTensor second = tensor(2, 1, "act-0");
  second.sources[0] = 1;
  second.view_of = 1;
  add(second);
  ASSERT_EQ(kept_.graphs.size(), 1U);
  const ToldGraph& told = kept_.graphs[0];
  EXPECT_EQ(told.nodes, 2U);
  EXPECT_EQ(told.tensors[0].name, "Qcur-0");
  EXPECT_EQ(told.tensors[0].op, "MUL_MAT");
  EXPECT_EQ(told.tensors[0].sources[0], 2);
  EXPECT_EQ(told.tensors[1].description, "SILU");
  EXPECT_EQ(told.tensors[1].sources[0], 0);
  EXPECT_EQ(told.tensors[1].view_of, 0);
  EXPECT_EQ(told.tensors[2].name, "blk.0.attn_q.weight");
  EXPECT_EQ(told.tensors[2].sources[0], ToldTensor::kNone);
  EXPECT_EQ(kept_.contexts.at(0).n_ctx, 512U);
}

TEST_F(ToldRecordsTest, APassHasItsSegmentsAndSequences) {
  add(segment(1, 16));
  add(stamps(14));
  add(stamps(2));
  add(pass(1, 5, 4));
  EXPECT_TRUE(kept_.passes.empty());
  add(sequences(3));
  add(sequences(1, 2));
  ASSERT_EQ(kept_.passes.size(), 1U);
  const ToldPass& told = kept_.passes[0];
  EXPECT_EQ(told.tokens, 5U);
  EXPECT_TRUE(told.has_shared_tokens);
  EXPECT_EQ(told.begin, at(900));
  EXPECT_EQ(told.end, at(2000));
  ASSERT_EQ(told.sequences.size(), 4U);
  EXPECT_EQ(told.sequences[2].id, 2);
  EXPECT_EQ(told.sequences[3].tokens, 2U);
  ASSERT_EQ(told.segments.size(), 1U);
  ASSERT_EQ(told.segments[0].ends.size(), 16U);
  EXPECT_EQ(told.segments[0].ends[0], at(1110));
  EXPECT_EQ(told.segments[0].ends[15], at(1260));
}

TEST_F(ToldRecordsTest, SegmentsOfAPassThatWasDroppedAreNotTheNextOnes) {
  add(segment(1, 2));
  add(stamps(2));
  add(pass(2, 0, 0));
  ASSERT_EQ(kept_.passes.size(), 1U);
  EXPECT_TRUE(kept_.passes[0].segments.empty());
}

TEST_F(ToldRecordsTest, TokensAreSortedBySequence) {
  add(pass_with_tokens(4, 2));
  add(sequences(2, 2));
  EXPECT_TRUE(kept_.passes.empty());
  add(tokens({{10, 1}, {20, 0}, {11, 1}, {21, 0}}));
  ASSERT_EQ(kept_.passes.size(), 1U);
  EXPECT_EQ(kept_.passes[0].token_ids, (std::vector<std::int32_t>{20, 21, 10, 11}));
}

TEST_F(ToldRecordsTest, ManyTokensComeInSeveralCells) {
  add(pass_with_tokens(13, 1));
  add(sequences(1, 13));
  add(tokens(std::vector<std::pair<std::int32_t, std::uint8_t>>(11, {3, 0})));
  add(tokens({{4, 0}, {5, 0}}));
  ASSERT_EQ(kept_.passes.size(), 1U);
  EXPECT_EQ(kept_.passes[0].token_ids.back(), 5);
}

TEST_F(ToldRecordsTest, TokensThatAreNotThoseOfTheSequences) {
  add(pass_with_tokens(4, 2));
  refuse(sequences(2, 1), "4 tokens of sequences with 2");
}
TEST_F(ToldRecordsTest, OnlySomeOfTheTokens) {
  ProbeCell cell = pass_with_tokens(4, 2);
  cell.pass.told_tokens = 3;
  refuse(cell, "3 of 4 tokens are told");
}
TEST_F(ToldRecordsTest, MoreTokensOfASequenceThanItHas) {
  add(pass_with_tokens(4, 2));
  add(sequences(2, 2));
  refuse(tokens({{1, 0}, {2, 0}, {3, 0}, {4, 1}}), "of sequence 0, which has no more");
}
TEST_F(ToldRecordsTest, TokensOfASequenceThatIsNotThere) {
  add(pass_with_tokens(4, 2));
  add(sequences(2, 2));
  refuse(tokens({{1, 0}, {2, 2}, {3, 0}, {4, 1}}), "of sequence 2");
}
TEST_F(ToldRecordsTest, AnotherRecordWhereTokensAreDue) {
  add(pass_with_tokens(1, 1));
  add(sequences(1));
  refuse(context(), "record 1 among a pass's tokens");
}

TEST_F(ToldRecordsTest, TextsComeInPieces) {
  ProbeCell cell = empty();
  cell.text = {.type = kProbeRecordText, .text = kProbeTextModelPath, .bytes = 56};
  std::memset(cell.text.piece, 'a', sizeof cell.text.piece);
  add(cell);
  cell.text.bytes = 2;
  add(cell);
  EXPECT_EQ(kept_.texts[ToldText::model_path], std::string(58, 'a'));
}

TEST_F(ToldRecordsTest, WhatCannotBeIsNotBelieved) { refuse(empty(), "no record 0"); }
TEST_F(ToldRecordsTest, AGraphOfTooManyNodes) { refuse(graph(9000, 9001), "9000 nodes"); }
TEST_F(ToldRecordsTest, ATensorOfAnUnknownKind) {
  add(graph(1, 1));
  const ProbeTensor told = tensor(1, 3, "x");
  std::array<ProbeCell, 2> halves;
  std::memcpy(&halves, &told, sizeof told);
  add(halves[0]);
  refuse(halves[1], "of kind 3");
}
TEST_F(ToldRecordsTest, ATensorThatReadsALaterOne) {
  add(graph(2, 2));
  add(kind(0, "MUL", "MUL"));
  ProbeTensor first = tensor(1, 0, "x");
  first.sources[3] = 2;
  add(first);
  const ProbeTensor second = tensor(2, 0, "y");
  std::array<ProbeCell, 2> halves;
  std::memcpy(&halves, &second, sizeof second);
  add(halves[0]);
  refuse(halves[1], "reads one that is not there");
}
TEST_F(ToldRecordsTest, MoreSequencesThanTokens) { refuse(pass(1, 2, 3), "2 tokens in 3"); }
TEST_F(ToldRecordsTest, APassThatEndsBeforeItBegins) {
  ProbeCell cell = pass(1, 0, 0);
  cell.pass.end = 1;
  refuse(cell, "times of a pass");
}
TEST_F(ToldRecordsTest, StampsThatAreNotDue) {
  add(segment(1, 3));
  refuse(stamps(2), "2 stamps where 3");
}
TEST_F(ToldRecordsTest, AnotherRecordWhereStampsAreDue) {
  add(segment(1, 3));
  refuse(context(), "record 1 among");
}
TEST_F(ToldRecordsTest, MoreStampsThanNodes) {
  ProbeCell cell = segment(1, 3);
  cell.segment.nodes = 2;
  refuse(cell, "3 operations of 2 nodes");
}

/// Whatever is in the memory: it says what is damaged, or takes it; and does not grow.
TEST_F(ToldRecordsTest, NoiseIsRefusedOrTaken) {
  std::mt19937_64 random(5);
  for (int turn = 0; turn < 2000; ++turn) {
    Kept kept;
    ToldRecords records(kept);
    for (int cell = 0; cell < 50; ++cell) {
      ProbeCell noise;
      for (std::size_t word = 0; word < sizeof noise; word += sizeof(std::uint64_t)) {
        const std::uint64_t bits = random() & random() & random();
        std::memcpy(reinterpret_cast<char*>(&noise) + word, &bits, sizeof bits);
      }
      noise.type = static_cast<std::uint16_t>(random() % 14);
      if (!records.add(noise)) {
        EXPECT_TRUE(records.damage());
        break;
      }
    }
  }
}

}  // namespace
}  // namespace enprof
