#include "engines/llama/node_identity.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

constexpr std::int32_t kNone = OperationInfo::kNoLayer;

struct Case {
  NodeFacts node;
  std::int32_t layer;
  std::string component;
};

void expect_all(const std::vector<Case>& cases) {
  for (const auto& [node, layer, component] : cases) {
    const NodeIdentity identity = identify_node(node);
    EXPECT_EQ(identity.component, component) << node.op << ' ' << node.name << ' ' << node.weight;
    EXPECT_EQ(identity.layer, layer) << node.op << ' ' << node.name << ' ' << node.weight;
  }
}

TEST(NodeIdentity, LayersInNames) {
  EXPECT_EQ(layer_in_name("blk.3.attn_q.weight"), 3);
  EXPECT_EQ(layer_in_name("blk.127.ssm_a"), 127);
  EXPECT_EQ(layer_in_name("blk."), kNone);
  EXPECT_EQ(layer_in_name("blk.x.attn_q.weight"), kNone);
  EXPECT_EQ(layer_in_name("output_norm.weight"), kNone);
  EXPECT_EQ(layer_in_name("Qcur-12"), 12);
  EXPECT_EQ(layer_in_name("Qcur-12 (view) (permuted)"), 12);
  EXPECT_EQ(layer_in_name("ffn_sqr(relu)-4"), 4);
  EXPECT_EQ(layer_in_name("cache_k_l7 (view)"), 7);
  EXPECT_EQ(layer_in_name("cache_v_l7 (view) (copy of Vcur-9)"), 7);
  EXPECT_EQ(layer_in_name("cache_k"), kNone);
  EXPECT_EQ(layer_in_name("node_12"), kNone);
  EXPECT_EQ(layer_in_name("result-"), kNone);
  EXPECT_EQ(layer_in_name("a-1b"), kNone);
  EXPECT_EQ(layer_in_name("a-99999999999999999999"), kNone);
  EXPECT_EQ(layer_in_name(""), kNone);
}

TEST(NodeIdentity, WeightClasses) {
  EXPECT_EQ(weight_class("blk.3.attn_q.weight"), "attn_q");
  EXPECT_EQ(weight_class("blk.13.attn_q.bias"), "attn_q");
  EXPECT_EQ(weight_class("blk.0.ssm_a"), "ssm_a");
  EXPECT_EQ(weight_class("output_norm.weight"), "output_norm");
  EXPECT_EQ(weight_class("blk.5"), "blk.5");
  EXPECT_EQ(weight_class(""), "");
}

TEST(NodeIdentity, AWeightNamesItsComponentAndLayer) {
  expect_all({
      {{.op = "GET_ROWS", .name = "embd", .weight = "token_embd.weight"}, kNone, "embedding"},
      {{.op = "RMS_NORM", .name = "norm-0", .weight = "blk.0.attn_norm.weight"},
       0,
       "input_layernorm"},
      {{.op = "MUL_MAT", .name = "Qcur-2", .weight = "blk.2.attn_q.weight"}, 2, "q_proj"},
      {{.op = "ADD", .name = "Qcur-2", .weight = "blk.2.attn_q.bias"}, 2, "q_proj"},
      {{.op = "MUL_MAT", .name = "Kcur-2", .weight = "blk.2.attn_k.weight"}, 2, "k_proj"},
      {{.op = "MUL_MAT", .name = "Vcur-2", .weight = "blk.2.attn_v.weight"}, 2, "v_proj"},
      {{.op = "MUL_MAT", .name = "wqkv-2", .weight = "blk.2.attn_qkv.weight"}, 2, "qkv_proj"},
      {{.op = "RMS_NORM+MUL", .name = "Qcur_normed-2", .weight = "blk.2.attn_q_norm.weight"},
       2,
       "q_norm"},
      {{.op = "MUL_MAT", .name = "node_22", .weight = "blk.2.attn_output.weight"}, 2, "o_proj"},
      {{.op = "MUL", .name = "norm_w-2", .weight = "blk.2.ffn_norm.weight"},
       2,
       "post_attention_layernorm"},
      {{.op = "MUL_MAT", .name = "ffn_gate-2", .weight = "blk.2.ffn_gate.weight"}, 2, "gate_proj"},
      {{.op = "MUL_MAT", .name = "ffn_up-2", .weight = "blk.2.ffn_up.weight"}, 2, "up_proj"},
      {{.op = "MUL_MAT", .name = "ffn_out-2", .weight = "blk.2.ffn_down.weight"}, 2, "down_proj"},
      {{.op = "MUL_MAT", .name = "ffn_moe_logits-2", .weight = "blk.2.ffn_gate_inp.weight"},
       2,
       "router"},
      {{.op = "MUL_MAT_ID", .name = "ffn_moe_gate-2", .weight = "blk.2.ffn_gate_exps.weight"},
       2,
       "experts"},
      {{.op = "MUL_MAT", .name = "ffn_gate-2", .weight = "blk.2.ffn_gate_shexp.weight"},
       2,
       "shared_expert"},
      {{.op = "MUL_MAT", .name = "node_14", .weight = "blk.2.ssm_in.weight"}, 2, "in_proj"},
      {{.op = "MUL_MAT", .name = "node_29", .weight = "blk.2.ssm_x.weight"}, 2, "x_proj"},
      {{.op = "ADD", .name = "node_33", .weight = "blk.2.ssm_dt.bias"}, 2, "dt_proj"},
      {{.op = "MUL", .name = "node_54", .weight = "blk.2.ssm_d"}, 2, "ssm_skip"},
      {{.op = "MUL_MAT", .name = "node_99", .weight = "blk.2.ssm_out.weight"}, 2, "out_proj"},
      {{.op = "MUL", .name = "result_norm", .weight = "output_norm.weight", .input_layer = 7},
       kNone,
       "final_norm"},
      {{.op = "MUL_MAT", .name = "result_output", .weight = "output.weight", .input_layer = 7},
       kNone,
       "lm_head"},
      {{.op = "MUL_MAT", .name = "result_output", .weight = "token_embd.weight", .input_layer = 7},
       kNone,
       "lm_head"},
  });
}

TEST(NodeIdentity, AWeightThatIsNotInTheTablesKeepsItsOwnName) {
  expect_all({
      {{.op = "MUL_MAT", .name = "x", .weight = "blk.4.time_mix_key.weight"}, 4, "time_mix_key"},
      {{.op = "MUL", .name = "x", .weight = "blk.4.post_ffw_norm.weight"}, 4, "post_ffw_norm"},
      {{.op = "MUL_MAT", .name = "x", .weight = "altup_proj.weight", .input_layer = 4},
       4,
       "altup_proj"},
  });
}

TEST(NodeIdentity, AnOpThatIsOneThingNeedsNoName) {
  expect_all({
      {{.op = "ROPE", .name = "Qcur-3"}, 3, "rope"},
      {{.op = "ROPE", .name = "Qcur-3", .weight = "rope_freqs.weight"}, 3, "rope"},
      {{.op = "FLASH_ATTN_EXT", .name = "node_21", .input_layer = 3}, 3, "attention"},
      {{.op = "FLASH_ATTN_EXT", .name = "node_21", .weight = "blk.3.attn_sinks.weight"},
       3,
       "attention"},
      {{.op = "SSM_SCAN", .name = "node_36", .weight = "blk.3.ssm_a"}, 3, "ssm_scan"},
      {{.op = "SSM_CONV", .name = "node_25", .weight = "blk.3.ssm_conv1d.weight"}, 3, "conv1d"},
  });
}

TEST(NodeIdentity, State) {
  expect_all({
      {{.op = "SET_ROWS", .name = "cache_k_l3 (view)", .cache = "cache_k_l3", .input_layer = 2},
       3,
       "kv_cache_store"},
      {{.op = "GET_ROWS", .name = "node_5", .cache = "cache_r_l3"}, 3, "recurrent_state"},
      {{.op = "CPY", .name = "cache_s_l3 (view) (copy of )", .cache = "cache_s_l3"},
       3,
       "recurrent_state"},
  });
}

TEST(NodeIdentity, NamesOfNodesWithoutWeights) {
  expect_all({
      {{.op = "MUL_MAT", .name = "kq-3"}, 3, "qk_matmul"},
      {{.op = "SCALE", .name = "kq_scaled_1-3"}, 3, "softmax"},
      {{.op = "SOFT_MAX", .name = "kq_soft_max-3"}, 3, "softmax"},
      {{.op = "MUL_MAT", .name = "kqv-3"}, 3, "value_matmul"},
      {{.op = "CONT", .name = "kqv_out-3"}, 3, "merge_heads"},
      {{.op = "SOFT_MAX", .name = "ffn_moe_probs-3"}, 3, "router"},
      {{.op = "GET_ROWS", .name = "ffn_moe_weights-3"}, 3, "router"},
      {{.op = "MUL", .name = "ffn_moe_weighted-3"}, 3, "experts"},
      {{.op = "MUL", .name = "ffn_shexp_out-3"}, 3, "shared_expert"},
      {{.op = "ADD", .name = "ffn_inp-3"}, 3, "residual"},
      {{.op = "ADD", .name = "l_out-3"}, 3, "residual"},
      {{.op = "SCALE", .name = "inp_scaled"}, kNone, "embedding"},
      {{.op = "RMS_NORM", .name = "result_norm", .input_layer = 3}, kNone, "final_norm"},
  });
}

TEST(NodeIdentity, InputsTellWhatHasNoName) {
  expect_all({
      {{.op = "SWIGLU", .name = "ffn_swiglu-3", .inputs = {"gate_proj", "up_proj"}},
       3,
       "activation"},
      {{.op = "SWIGLU", .name = "ffn_swiglu-3", .inputs = {"shared_expert", "shared_expert"}},
       3,
       "shared_expert"},
      {{.op = "SILU", .name = "node_50", .inputs = {"shared_expert"}, .input_layer = 3},
       3,
       "shared_expert"},
      {{.op = "ADD", .name = "ffn_out-3", .inputs = {"experts", "shared_expert"}}, 3, "experts"},
      {{.op = "ADD", .name = "node_23", .inputs = {"o_proj", "embedding"}, .input_layer = 3},
       3,
       "residual"},
      {{.op = "ADD", .name = "node_26", .inputs = {"down_proj", "o_proj"}, .input_layer = 3},
       3,
       "residual"},
  });
}

TEST(NodeIdentity, NothingIsGuessed) {
  expect_all({
      {{.op = "ADD", .name = "node_1", .inputs = {"o_proj", "conv1d"}, .input_layer = 2}, 2, "add"},
      {{.op = "ADD", .name = "node_1", .inputs = {"o_proj", ""}, .input_layer = 2}, 2, "add"},
      {{.op = "MUL", .name = "l_out-3"}, 3, "mul"},
      {{.op = "MUL_MAT", .name = "node_1"}, kNone, "mul_mat"},
      {{.op = "CONT", .name = "kq-1"}, 1, "cont"},
      {{.op = "SIGMOID", .name = "node_9"}, kNone, "sigmoid"},
      {{.op = "", .name = ""}, kNone, ""},
  });
}

TEST(NodeIdentity, RowsOfTheOutputBelongToTheLayerThatWantsFewer) {
  expect_all({{{.op = "GET_ROWS",
                .name = "node_56",
                .inputs = {"residual"},
                .selects_outputs = true,
                .input_layer = 0,
                .previous_layer = 1},
               1,
               "get_rows"}});
}

}  // namespace
}  // namespace enprof
