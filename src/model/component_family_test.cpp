#include "model/component_family.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(ComponentFamily, EachIsForOneThing) {
  EXPECT_EQ(component_family("q_proj"), "attention");
  EXPECT_EQ(component_family("experts"), "MLP");
  EXPECT_EQ(component_family("ssm_scan"), "recurrent");
  EXPECT_EQ(component_family("final_norm"), "norms");
  EXPECT_EQ(component_family("residual"), "residual");
  EXPECT_EQ(component_family("lm_head"), "embedding, output");
  EXPECT_EQ(component_family("glu"), "other");
}

TEST(ComponentFamily, NormsOnBothSidesOfABlockAreNorms) {
  for (const char* norm : {"input_layernorm", "post_attention_layernorm",
                           "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
    EXPECT_EQ(component_family(norm), "norms") << norm;
  }
}

}  // namespace
}  // namespace enprof
