#include "engines/llama/gguf_metadata.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstdint>
#include <limits>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Metadata : public ::testing::Test {
 protected:
  Metadata() {
    gguf_context* raw = metadata_gguf_;
    gguf_set_val_str(raw, "general.architecture", "llama");
    gguf_set_val_u8(raw, "u8", 200);
    gguf_set_val_i8(raw, "i8", -3);
    gguf_set_val_u16(raw, "u16", 60000);
    gguf_set_val_i16(raw, "i16", -300);
    gguf_set_val_u32(raw, "u32", 4000000000);
    gguf_set_val_i32(raw, "i32", -5);
    gguf_set_val_u64(raw, "u64", std::numeric_limits<std::uint64_t>::max());
    gguf_set_val_i64(raw, "i64", -7);
    gguf_set_val_f32(raw, "f32", 1.5F);
    gguf_set_val_bool(raw, "bool", true);
    const std::array<std::int32_t, 3> heads{4, 0, 2};
    gguf_set_arr_data(raw, "heads", GGUF_TYPE_INT32, heads.data(), heads.size());
    const std::array<float, 2> reals{1.0F, 2.0F};
    gguf_set_arr_data(raw, "reals", GGUF_TYPE_FLOAT32, reals.data(), reals.size());
    std::array<const char*, 2> words{"a", "b"};
    gguf_set_arr_str(raw, "words", words.data(), words.size());
  }

 private:
  gguf_context* metadata_gguf_ = gguf_init_empty();

 protected:
  const GgufMetadata metadata_{GgufPtr(metadata_gguf_)};
};

TEST_F(Metadata, ReadsIntegersOfAnyType) {
  EXPECT_EQ(metadata_.integer("u8"), 200);
  EXPECT_EQ(metadata_.integer("i8"), -3);
  EXPECT_EQ(metadata_.integer("u16"), 60000);
  EXPECT_EQ(metadata_.integer("i16"), -300);
  EXPECT_EQ(metadata_.integer("u32"), 4000000000);
  EXPECT_EQ(metadata_.integer("i32"), -5);
  EXPECT_EQ(metadata_.integer("u64"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(metadata_.integer("i64"), -7);
}

TEST_F(Metadata, GivesNothingForAnotherTypeOrNoKey) {
  for (const char* key : {"f32", "bool", "heads", "words", "general.architecture", "missing"}) {
    EXPECT_EQ(metadata_.integer(key), std::nullopt) << key;
  }
  EXPECT_EQ(metadata_.text("u32"), std::nullopt);
  EXPECT_EQ(metadata_.text("words"), std::nullopt);
  EXPECT_EQ(metadata_.boolean("u8"), std::nullopt);
  EXPECT_FALSE(metadata_.has("missing"));
}

TEST_F(Metadata, ReadsArraysAndSingleNumbersAlike) {
  EXPECT_THAT(metadata_.integers("heads"), ElementsAre(4, 0, 2));
  EXPECT_THAT(metadata_.integers("u8"), ElementsAre(200));
  EXPECT_THAT(metadata_.integers("reals"), IsEmpty());
  EXPECT_THAT(metadata_.integers("words"), IsEmpty());
  EXPECT_THAT(metadata_.integers("missing"), IsEmpty());
}

TEST_F(Metadata, ReadsRealsAndNothingElseAsReals) {
  EXPECT_THAT(metadata_.reals("f32"), ElementsAre(1.5));
  EXPECT_THAT(metadata_.reals("reals"), ElementsAre(1.0, 2.0));
  for (const char* key : {"u8", "bool", "heads", "words", "general.architecture", "missing"}) {
    EXPECT_THAT(metadata_.reals(key), IsEmpty()) << key;
  }
}

TEST_F(Metadata, KnowsItsArchitecture) {
  EXPECT_EQ(metadata_.architecture(), "llama");
  EXPECT_EQ(metadata_.own_key("block_count"), "llama.block_count");
  EXPECT_EQ(metadata_.boolean("bool"), true);
  EXPECT_EQ(GgufMetadata(GgufPtr(gguf_init_empty())).architecture(), "");
}

}  // namespace
}  // namespace enprof
