#include "cli/word_list.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(WordList, CommasSeparateUnlessThereIsSuchAFile) {
  EXPECT_THAT(split_list("a,b"), ElementsAre("a", "b"));
  EXPECT_THAT(split_list(",a,,b,"), ElementsAre("a", "b"));
  EXPECT_THAT(split_list("a"), ElementsAre("a"));
  EXPECT_THAT(split_list(","), IsEmpty());
  EXPECT_THAT(split_list(""), IsEmpty());
  testing::TempDir dir;
  const std::string file = dir.write("a,b.gguf", "x").string();
  EXPECT_THAT(split_list(file), ElementsAre(file));
}

}  // namespace
}  // namespace enprof
