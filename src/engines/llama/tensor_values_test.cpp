#include "engines/llama/tensor_values.hpp"

#include "engines/llama/llama_handles.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <limits>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TensorValuesTest : public ::testing::Test {
 protected:
  ggml_tensor* tensor(ggml_type type, std::int64_t width, std::int64_t rows) {
    return ggml_new_tensor_2d(context_.get(), type, width, rows);
  }
  [[nodiscard]] std::vector<float> read(const ggml_tensor& tensor) {
    std::vector<float> values{99.0F};  // earlier content is replaced
    read_tensor(tensor, bytes_, values);
    return values;
  }

  GgmlContextPtr context_{
      ggml_init({.mem_size = 1U << 20U, .mem_buffer = nullptr, .no_alloc = false})};
  std::vector<std::uint8_t> bytes_;
};

TEST_F(TensorValuesTest, Floats) {
  ggml_tensor* const values = tensor(GGML_TYPE_F32, 3, 2);
  constexpr std::array kNumbers{1.0F, -2.0F, 3.5F, 4.0F, 5.0F, 6.0F};
  std::memcpy(values->data, kNumbers.data(), sizeof kNumbers);
  EXPECT_THAT(read(*values), ElementsAre(1.0F, -2.0F, 3.5F, 4.0F, 5.0F, 6.0F));
}

TEST_F(TensorValuesTest, RowsOfAView) {
  ggml_tensor* const values = tensor(GGML_TYPE_F32, 3, 2);
  constexpr std::array kNumbers{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F};
  std::memcpy(values->data, kNumbers.data(), sizeof kNumbers);
  EXPECT_THAT(read(*ggml_view_2d(context_.get(), values, 2, 2, values->nb[1], sizeof(float))),
              ElementsAre(2.0F, 3.0F, 5.0F, 6.0F));
}

TEST_F(TensorValuesTest, TypesThatAreNoFloats) {
  ggml_tensor* const half = tensor(GGML_TYPE_F16, 2, 1);
  static_cast<ggml_fp16_t*>(half->data)[0] = ggml_fp32_to_fp16(0.5F);
  static_cast<ggml_fp16_t*>(half->data)[1] = ggml_fp32_to_fp16(-8.0F);
  EXPECT_THAT(read(*half), ElementsAre(0.5F, -8.0F));

  ggml_tensor* const quantized = tensor(GGML_TYPE_Q8_0, 32, 1);
  std::array<float, 32> source{};
  source[0] = 127.0F;
  source[31] = -64.0F;
  ggml_quantize_chunk(GGML_TYPE_Q8_0, source.data(), quantized->data, 0, 1, 32, nullptr);
  const std::vector<float> values = read(*quantized);
  ASSERT_EQ(values.size(), 32U);
  EXPECT_EQ(values[0], 127.0F);
  EXPECT_EQ(values[1], 0.0F);
  EXPECT_EQ(values[31], -64.0F);
}

TEST_F(TensorValuesTest, NothingOfNothing) {
  EXPECT_THAT(read(*tensor(GGML_TYPE_F32, 4, 0)), IsEmpty());
}

TEST_F(TensorValuesTest, WhatCannotBeRead) {
  EXPECT_TRUE(is_readable(*tensor(GGML_TYPE_F32, 2, 2)));
  EXPECT_TRUE(is_readable(*tensor(GGML_TYPE_Q4_K, 256, 1)));
  EXPECT_FALSE(is_readable(*tensor(GGML_TYPE_I32, 2, 2)));
  EXPECT_FALSE(is_readable(*ggml_transpose(context_.get(), tensor(GGML_TYPE_F32, 2, 3))));
}

TEST_F(TensorValuesTest, Integers) {
  ggml_tensor* const values = tensor(GGML_TYPE_I32, 2, 2);
  constexpr std::array<std::int32_t, 4> kNumbers{7, -1, 0, 3};
  std::memcpy(values->data, kNumbers.data(), sizeof kNumbers);
  EXPECT_THAT(read_integers(*values, bytes_), ElementsAre(7, -1, 0, 3));
}

TEST_F(TensorValuesTest, PositionsThatAMaskLetsThrough) {
  ggml_tensor* const mask = tensor(GGML_TYPE_F32, 3, 4);  // padded: only two queries are real
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  constexpr std::array kMask{0.0F,   kNever, kNever, -2.5F,  -1.0F,  kNever,
                             kNever, kNever, kNever, kNever, kNever, kNever};
  std::memcpy(mask->data, kMask.data(), sizeof kMask);
  EXPECT_THAT(visible_positions(mask, 3, 2, bytes_), ElementsAre(1, 2));
  EXPECT_THAT(visible_positions(nullptr, 3, 2, bytes_), ElementsAre(3, 3));
}

}  // namespace
}  // namespace enprof
