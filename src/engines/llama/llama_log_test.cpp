#include "engines/llama/llama_log.hpp"

#include "enprof/base/log.hpp"

#include "support/temp_dir.hpp"

#include <ggml.h>
#include <gmock/gmock.h>
#include <llama.h>

#include <filesystem>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LlamaLog : public ::testing::Test {
 protected:
  LlamaLog() {
    start_llama();
    ggml_log_get(&callback_, &user_data_);
  }
  void say(ggml_log_level level, const char* text) const { callback_(level, text, user_data_); }

 private:
  ggml_log_callback callback_ = nullptr;
  void* user_data_ = nullptr;
};

TEST_F(LlamaLog, JoinsThePiecesOfALine) {
  const LlamaLogCapture log(GGML_LOG_LEVEL_INFO);
  say(GGML_LOG_LEVEL_INFO, "load: one");
  say(GGML_LOG_LEVEL_CONT, ", two");
  say(GGML_LOG_LEVEL_CONT, "\nload: three\n");
  EXPECT_THAT(log.lines(), ElementsAre("load: one, two", "load: three"));
}

TEST_F(LlamaLog, CapturesOnlyWhatIsSevereEnough) {
  const LlamaLogCapture log;
  say(GGML_LOG_LEVEL_WARN, "warn\n");
  say(GGML_LOG_LEVEL_ERROR, "bad\n");
  EXPECT_THAT(log.lines(), ElementsAre("bad"));
}

TEST_F(LlamaLog, NestedCapturesBothHear) {
  const LlamaLogCapture outer;
  {
    const LlamaLogCapture inner;
    say(GGML_LOG_LEVEL_ERROR, "first\n");
    EXPECT_THAT(inner.lines(), ElementsAre("first"));
  }
  say(GGML_LOG_LEVEL_ERROR, "second\n");
  EXPECT_THAT(outer.lines(), ElementsAre("first", "second"));
}

TEST_F(LlamaLog, TheReasonIsTheLineThatSaysMost) {
  const LlamaLogCapture log;
  say(GGML_LOG_LEVEL_ERROR, "gguf_init: failed to read key-value pairs\n");
  say(GGML_LOG_LEVEL_ERROR, "llama_model_load: error loading model: key not found: x.y\n");
  say(GGML_LOG_LEVEL_ERROR, "llama_model_load_from_file_impl: failed to load model\n");
  EXPECT_EQ(log.reason(), "key not found: x.y");
}

TEST_F(LlamaLog, SaysNothingWithoutLines) { EXPECT_EQ(LlamaLogCapture().reason(), ""); }

TEST_F(LlamaLog, GoesToOursAtDebugLevelOnly) {
  const testing::TempDir directory;
  const auto file = directory.path() / "log";
  ASSERT_TRUE(set_log_file(file));
  say(GGML_LOG_LEVEL_ERROR, "unheard\n");
  set_log_level(LogLevel::debug);
  say(GGML_LOG_LEVEL_WARN, "heard\n");
  set_log_level(LogLevel::info);
  log_line(LogLevel::info, "test", "this flushes the file");
  const std::string text = testing::read_file(file);
  EXPECT_THAT(text, HasSubstr("debug   llama     heard"));
  EXPECT_THAT(text, Not(HasSubstr("unheard")));
}

TEST_F(LlamaLog, LlamaItselfSpeaksThroughIt) {
  const LlamaLogCapture log;
  EXPECT_EQ(llama_model_load_from_file("/nonexistent/model.gguf", llama_model_default_params()),
            nullptr);
  EXPECT_THAT(log.lines(), Not(IsEmpty()));
}

}  // namespace
}  // namespace enprof
