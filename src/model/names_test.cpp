#include "enprof/model/names.hpp"

#include "enprof/model/model_facts.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(Names, GoBothWays) {
  for (const Phase phase : kAllPhases) {
    EXPECT_EQ(phase_from_string(to_string(phase)), phase);
  }
  EXPECT_EQ(to_string(Phase::post_inference), "post_inference");
  EXPECT_EQ(depth_from_string("deep"), Depth::deep);
  EXPECT_EQ(method_from_string("estimated"), Method::estimated);
  EXPECT_EQ(run_status_from_string("interrupted"), RunStatus::interrupted);
  EXPECT_EQ(phase_from_string("encode"), std::nullopt);
  EXPECT_EQ(depth_from_string(""), std::nullopt);
  EXPECT_EQ(to_string(Level::operation), "operation");
}

TEST(ModelFacts, AttentionFollowsFromHeads) {
  EXPECT_EQ((ModelFacts{.heads = 32, .kv_heads = 32}.attention()), "MHA");
  EXPECT_EQ((ModelFacts{.heads = 32, .kv_heads = 8}.attention()), "GQA");
  EXPECT_EQ((ModelFacts{.heads = 8, .kv_heads = 1}.attention()), "MQA");
  EXPECT_EQ((ModelFacts{.heads = 8}.attention()), "");
  EXPECT_EQ((ModelFacts{.heads = 8, .kv_heads = 0}.attention()), "");
}

}  // namespace
}  // namespace enprof
