#include "engines/registry/engine_registry.hpp"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace enprof {
namespace {

TEST(EngineRegistry, ChoosesAnEngineByHowAFileIsCalled) {
  EXPECT_EQ(engine_for("dir/gemma.gguf").name(), "llama.cpp");
  EXPECT_EQ(engine_for("GEMMA.GGUF").name(), "llama.cpp");
  EXPECT_EQ(engine_for("chat.playback.json").name(), "playback");
  EXPECT_EQ(engine_for("blobs/sha256-abc").name(), "llama.cpp");  // a file of a registry: no suffix
}

TEST(EngineRegistry, KnowsWhichFilesAUserMayMean) {
  EXPECT_NE(engine_of_model("gemma.gguf"), nullptr);
  EXPECT_NE(engine_of_model("gemma-00001-of-00003.gguf"), nullptr);
  EXPECT_EQ(engine_of_model("gemma-00002-of-00003.gguf"), nullptr);
  EXPECT_EQ(engine_of_model("mmproj-gemma.gguf"), nullptr);
  EXPECT_NE(engine_of_model("chat.playback.json"), nullptr);
  EXPECT_EQ(engine_of_model("run.json"), nullptr);
  EXPECT_EQ(engine_of_model(""), nullptr);
}

TEST(EngineRegistry, KnowsHowModelsAreCalled) {
  EXPECT_EQ(model_suffix("Gemma.GGUF"), ".gguf");
  EXPECT_EQ(model_suffix("mmproj-gemma.gguf"), ".gguf");
  EXPECT_EQ(model_suffix("a.playback.json"), ".playback.json");
  EXPECT_EQ(model_suffix("a.json"), "");
}

TEST(EngineRegistry, NamesNoSettingTwice) {
  std::set<std::string_view> names;
  std::set<std::string_view> suffixes;
  for (const Engine* engine : engines()) {
    EXPECT_TRUE(suffixes.insert(engine->suffix()).second) << engine->suffix();
    for (const EngineSetting& setting : engine->settings()) {
      EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
      EXPECT_GE(setting.usual, setting.least) << setting.name;
      EXPECT_LE(setting.usual, setting.most) << setting.name;
      EXPECT_FALSE(setting.help.empty()) << setting.name;
    }
  }
}

}  // namespace
}  // namespace enprof
