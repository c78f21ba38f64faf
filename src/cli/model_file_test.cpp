#include "cli/model_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FindModel : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path found(const std::string& name) const {
    const auto path = find_model(name, places_);
    EXPECT_TRUE(path) << path.error().message;
    return path.value_or(fs::path{});
  }
  [[nodiscard]] Error error_of(const std::string& name) const {
    const auto path = find_model(name, places_);
    EXPECT_FALSE(path);
    return path ? Error{} : path.error();
  }

  const testing::TempDir directory_;
  std::vector<ModelPlace> places_{{.directory = directory_.path(), .levels = 2}};
};

TEST_F(FindModel, APathIsTaken) {
  EXPECT_EQ(found("/no/such/model.gguf"), "/no/such/model.gguf");
  EXPECT_EQ(found("./gemma"), "./gemma");
}

TEST_F(FindModel, APartOfANameIsEnough) {
  const auto gemma = directory_.write("hub/Gemma-3-1B-it-Q8_0.gguf", "x");
  directory_.write("llama.gguf", "x");
  directory_.write("notes-on-gemma.txt", "x");
  directory_.write("mmproj-gemma.gguf", "x");
  directory_.write("a/b/c/deep-gemma.gguf", "x");
  EXPECT_EQ(found("gemma"), gemma);
  EXPECT_EQ(found("gemma-3-1b-it-q8_0.gguf"), gemma);
}

TEST_F(FindModel, AWholeNameGoesBeforeAPart) {
  const auto gemma = directory_.write("gemma.gguf", "x");
  directory_.write("gemma-large.gguf", "x");
  EXPECT_EQ(found("gemma"), gemma);
}

TEST_F(FindModel, SeveralMatchesAreListedAndItNeverGuesses) {
  const auto small = directory_.write("gemma small.gguf", "x");
  const auto large = directory_.write("gemma-large.gguf", "x");
  const Error error = error_of("gemma");
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("2 models"));
  EXPECT_THAT(error.hint,
              AllOf(HasSubstr("-m '" + small.string() + "'"), HasSubstr("-m " + large.string())));
}

TEST_F(FindModel, OfASplitModelTheFirstPartStandsForAll) {
  const auto first = directory_.write("big-00001-of-00002.gguf", "x");
  directory_.write("big-00002-of-00002.gguf", "x");
  EXPECT_EQ(found("big"), first);
}

TEST_F(FindModel, OneFileByTwoWaysIsOne) {
  directory_.write("a/gemma.gguf", "x");
  fs::create_symlink(directory_.path() / "a/gemma.gguf", directory_.path() / "gemma-link.gguf");
  places_.push_back({.directory = directory_.path() / "a", .levels = 0});
  EXPECT_TRUE(find_model("gem", places_));
}

TEST_F(FindModel, ADanglingLinkIsReportedWithItsTarget) {
  const fs::path link = directory_.path() / "m.gguf";
  fs::create_symlink("blobs/1234", link);
  const Error one = error_of(link.string());
  EXPECT_EQ(one.code, ErrorCode::not_found);
  EXPECT_EQ(one.message, link.string() + " is a link to " +
                             (directory_.path() / "blobs/1234").string() +
                             ", which does not exist");
  const fs::path second = directory_.path() / "n.gguf";
  fs::create_symlink(link, second);
  EXPECT_THAT(error_of(second.string()).message, HasSubstr("blobs/1234"));
  directory_.write("blobs/1234", "x");
  EXPECT_EQ(found(second.string()), second);
  const fs::path circle = directory_.path() / "circle.gguf";
  fs::create_symlink(circle, circle);
  EXPECT_THAT(error_of(circle.string()).message, HasSubstr("back to itself"));
}

TEST(ModelFileName, EndsInGguf) {
  EXPECT_TRUE(is_model_file_name("a/m.gguf"));
  EXPECT_TRUE(is_model_file_name("M.GGUF"));
  EXPECT_FALSE(is_model_file_name("gguf"));
  EXPECT_FALSE(is_model_file_name("What is a .gguf file?"));
}

TEST_F(FindModel, AMissingModelIsReportedWithTheExistingOnes) {
  EXPECT_THAT(error_of("none.gguf").hint, HasSubstr("enprof model synth -o none.gguf"));
  directory_.write("gemma.gguf", "x");
  const Error typo = error_of("gmema.gguf");
  EXPECT_EQ(typo.code, ErrorCode::not_found);
  EXPECT_THAT(typo.message, AllOf(HasSubstr("gmema"), HasSubstr(directory_.path().string())));
  EXPECT_THAT(typo.hint, HasSubstr("Did you mean"));
  EXPECT_THAT(error_of("gmema").hint, HasSubstr("gemma.gguf?"));
  EXPECT_THAT(error_of("qwen").hint, AllOf(HasSubstr("These models exist"), HasSubstr("gemma.gguf"),
                                           Not(HasSubstr("mean"))));
}

}  // namespace
}  // namespace enprof
