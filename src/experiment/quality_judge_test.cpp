#include "experiment/quality_judge.hpp"

#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;

/// Its distributions are known: one for each chunk.
class KnownModel final : public LoadedModel {
 public:
  explicit KnownModel(std::vector<std::vector<float>> chunks) : chunks_(std::move(chunks)) {}
  const ModelFacts& facts() const noexcept override { return facts_; }
  std::size_t most_output_tokens(const GenerateOptions&) const noexcept override { return 1; }
  Result<GenerateResult> generate(RunScope&, const GenerateOptions&) override {
    return GenerateResult{};
  }
  Result<ScoreResult> score(const ScoreRequest& request) override {
    constexpr std::size_t kTokens = 5;  // of each chunk
    ScoreResult result;
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      std::vector<float> logs;
      for (const float probability : chunks_[chunk]) {
        logs.push_back(std::log(probability));
      }
      for (std::size_t token = 0; token < kTokens; ++token) {
        if (!request.visit({.chunk = chunk, .token = 0, .log_probabilities = logs})) {
          return fail(ErrorCode::io, "full");
        }
        ++result.tokens;
      }
      ++result.chunks;
    }
    return result;
  }

 private:
  std::vector<std::vector<float>> chunks_;
  ModelFacts facts_;
};

class KnownEngine final : public Engine {
 public:
  std::string_view name() const noexcept override { return "known"; }
  std::string_view suffix() const noexcept override { return ".gguf"; }
  bool is_model_name(std::string_view) const override { return true; }
  std::span<const EngineSetting> settings() const noexcept override { return {}; }
  Result<std::unique_ptr<ModelHeader>> read_header(const std::filesystem::path&) const override {
    return std::make_unique<ModelHeader>();
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override {
    const std::string name = request.path.filename().string();
    ++loads;
    if (name == "even.gguf") {
      return std::make_unique<KnownModel>(
          std::vector<std::vector<float>>{{0.5F, 0.25F, 0.25F}, {0.5F, 0.25F, 0.25F}});
    }
    if (name == "other.gguf") {
      return std::make_unique<KnownModel>(
          std::vector<std::vector<float>>{{0.25F, 0.5F, 0.25F}, {0.125F, 0.625F, 0.25F}});
    }
    if (name == "larger.gguf") {  // another vocabulary
      return std::make_unique<KnownModel>(
          std::vector<std::vector<float>>{{0.5F, 0.2F, 0.2F, 0.1F}, {0.5F, 0.2F, 0.2F, 0.1F}});
    }
    return fail(ErrorCode::corrupt, "broken");
  }
  mutable int loads = 0;
};

class QualityJudgeTest : public ::testing::Test {
 protected:
  QualityJudgeTest() {
    for (const char* const name : {"even", "other", "larger", "broken"}) {
      paths_.push_back(dir_.write(fmt::format("{}.gguf", name), name).string());
    }
    text_ = dir_.write("text.txt", "words").string();
  }
  [[nodiscard]] ExperimentDesign design(std::vector<std::string> models) const {
    return {.blocks = {PointBlock{.models = std::move(models)}},
            .quality = QualityRequest{.text = text_, .reference = paths_[0]}};
  }
  [[nodiscard]] Qualities judge(const ExperimentDesign& design) {
    ModelKeeper models({.engine_for = [this](const auto&) -> const Engine& { return engine_; }});
    return judge_models(design, models, {.cache = dir_.path() / "cache"});
  }

  testing::TempDir dir_;
  KnownEngine engine_;
  std::vector<std::string> paths_;
  std::string text_;
};

TEST_F(QualityJudgeTest, PerplexityAndDivergenceFollowFromTheProbabilities) {
  const Qualities qualities = judge(design({paths_[0], paths_[1]}));
  const auto& even = qualities.at(paths_[0]);
  ASSERT_TRUE(even);
  EXPECT_NEAR(even->perplexity.value_or(0.0), 2.0, 1e-5);
  EXPECT_NEAR(even->perplexity_error.value_or(1.0), 0.0, 1e-9) << "its chunks are alike";
  EXPECT_FALSE(even->kl_divergence) << "it is the reference";
  EXPECT_EQ(even->tokens, 10U);
  const auto& other = qualities.at(paths_[1]);
  ASSERT_TRUE(other);
  // ln 4 and ln 8 in the two chunks.
  EXPECT_NEAR(*other->perplexity, std::sqrt(32.0), 1e-4);
  EXPECT_NEAR(*other->perplexity_error, std::sqrt(32.0) * 0.5 * std::log(2.0), 1e-4);
  const double first = 0.5 * std::log(2.0) + 0.25 * std::log(0.5);
  const double second = 0.5 * std::log(4.0) + 0.25 * std::log(0.4);
  EXPECT_NEAR(*other->kl_divergence, 0.5 * (first + second), 1e-4);
  EXPECT_NEAR(*other->kl_divergence_error, 0.5 * (second - first), 1e-4);
  EXPECT_EQ(other->reference, "even.gguf");
  EXPECT_EQ(other->text, "text.txt");
}

TEST_F(QualityJudgeTest, TheSameModelDoesNotDiverge) {
  const auto copy = dir_.path() / "copy";
  std::filesystem::create_directory(copy);
  std::filesystem::copy_file(paths_[0], copy / "even.gguf");
  const auto same = (copy / "even.gguf").string();
  const Qualities qualities = judge(design({paths_[0], same}));
  EXPECT_NEAR(qualities.at(same)->kl_divergence.value_or(1.0), 0.0, 1e-6);
}

TEST_F(QualityJudgeTest, WhatWasJudgedIsNotJudgedAgain) {
  const auto models = std::vector{paths_[0], paths_[1]};
  const Qualities first = judge(design(models));
  const int loads = engine_.loads;
  const Qualities again = judge(design(models));
  EXPECT_EQ(engine_.loads, loads);
  EXPECT_EQ(*again.at(paths_[1]), *first.at(paths_[1]));
  std::ofstream(text_) << "other words";
  static_cast<void>(judge(design(models)));
  EXPECT_GT(engine_.loads, loads) << "the text is another one";
}

TEST_F(QualityJudgeTest, WhatCannotBeJudgedLeavesTheOthers) {
  const Qualities qualities = judge(design({paths_[0], paths_[2], paths_[3]}));
  EXPECT_TRUE(qualities.at(paths_[0]));
  ASSERT_TRUE(qualities.at(paths_[2]));
  EXPECT_TRUE(qualities.at(paths_[2])->perplexity);
  EXPECT_FALSE(qualities.at(paths_[2])->kl_divergence) << "other words cannot be compared";
  ASSERT_FALSE(qualities.at(paths_[3]));
  EXPECT_EQ(qualities.at(paths_[3]).error().message, "broken");
}

TEST_F(QualityJudgeTest, WithoutATextOrAReferenceThereIsNoQuality) {
  EXPECT_TRUE(judge({.blocks = {PointBlock{.models = {paths_[0]}}}}).empty());
  ExperimentDesign lost = design({paths_[0]});
  lost.quality->text = "/nonexistent/text";
  EXPECT_THAT(judge(lost).at(paths_[0]).error().message, HasSubstr("cannot be read"));
  ExperimentDesign broken = design({paths_[1]});
  broken.quality->reference = paths_[3];
  const Qualities qualities = judge(broken);
  ASSERT_TRUE(qualities.at(paths_[1]));
  EXPECT_FALSE(qualities.at(paths_[1])->kl_divergence);
  EXPECT_TRUE(qualities.at(paths_[1])->perplexity);
}

TEST_F(QualityJudgeTest, TheLargestModelIsTheReferenceIfNoneIsNamed) {
  ExperimentDesign unnamed = design({paths_[1], paths_[0]});
  unnamed.quality->reference.clear();
  std::ofstream(paths_[0]) << "the largest of the files";
  const Qualities qualities = judge(unnamed);
  EXPECT_TRUE(qualities.at(paths_[1])->kl_divergence);
  EXPECT_FALSE(qualities.at(paths_[0])->kl_divergence);
}

TEST(PointQuality, ComesBackFromTheTagOfARun) {
  const PointQuality quality{.perplexity = 7.25,
                             .perplexity_error = 0.125,
                             .kl_divergence = 0.5,
                             .tokens = 10,
                             .reference = "a.gguf",
                             .text = "t.txt"};
  const auto back = quality_from_json(quality_to_json(quality));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, quality);
  EXPECT_FALSE(quality_from_json("{}"));
  EXPECT_FALSE(quality_from_json(""));
}

}  // namespace
}  // namespace enprof
