#include "server/run_request_json.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

TEST(ParseRunRequest, TakesEverything) {
  const auto task = parse_run_request(
      R"({"prompt":"hi","model":"m.gguf","depth":"deep","max_tokens":7,"temperature":0.5,
          "top_k":3,"top_p":0.9,"seed":4294967295,"chat":true,"tags":["a","b"],"experiment":"e"})");
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->depth, Depth::deep);
  EXPECT_EQ(task->generate.max_tokens, 7);
  EXPECT_EQ(task->generate.temperature, 0.5F);
  EXPECT_EQ(task->generate.seed, 4294967295U);
  EXPECT_TRUE(task->generate.chat);
  EXPECT_EQ(task->tags.size(), 2U);
}

TEST(ParseRunRequest, TakesTheOldNames) {
  const auto task = parse_run_request(
      R"({"prompt":"p","model_path":"m.gguf","max_length":9,"profiling_depth":"deep",
          "experiment_name":"e","batch_size":1})");
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->depth, Depth::deep);
  EXPECT_EQ(task->experiment, "e");
  EXPECT_EQ(task->model, "m.gguf");
  EXPECT_EQ(task->generate.max_tokens, 9);
}

TEST(ParseRunRequest, SaysWhichMemberIsWrong) {
  const auto complaint = [](const std::string& member) {
    const auto task = parse_run_request(R"({"prompt":"p","model":"m.gguf",)" + member + "}");
    return task ? std::string("taken") : task.error().message;
  };
  EXPECT_EQ(complaint(R"("max_tokens":0)"),
            "max_tokens is 0, not a whole number from 1 to 1000000");
  EXPECT_EQ(complaint(R"("max_length":1.5)"),
            "max_length is 1.5, not a whole number from 1 to 1000000");
  EXPECT_EQ(complaint(R"("max_tokens":"7")"),
            R"(max_tokens is "7", not a whole number from 1 to 1000000)");
  EXPECT_EQ(complaint(R"("temperature":-1)"), "temperature is -1, not a number from 0 to 100");
  EXPECT_EQ(complaint(R"("seed":-1)"), "seed is -1, not a whole number from 0 to 4294967295");
  EXPECT_EQ(complaint(R"("chat":1)"), "chat is 1, not true or false");
  EXPECT_EQ(complaint(R"("experiment":7)"), "experiment is 7, not a text of at most 256 bytes");
  EXPECT_EQ(complaint(R"("tags":"a")"), R"(tags is "a", not a list)");
  EXPECT_EQ(complaint(R"("tags":["a",1])"), "tags[1] is 1, not a text of at most 256 bytes");
  EXPECT_EQ(complaint(R"("tags":[""])"), "tags[0] is an empty text");
  EXPECT_NE(complaint(R"("depth":"deeper")").find("deeper"), std::string::npos);
  EXPECT_EQ(complaint(R"("top_p":0)"), "top_p is 0, not a number from 1e-06 to 1");
  EXPECT_NE(complaint(R"("batch_size":4)").find("'batch_size'"), std::string::npos);
  EXPECT_EQ(complaint(R"("profiling_depth":"standard")"), "taken");
}

TEST(ParseRunRequest, RefusesWhatItDoesNotKnowAndSaysWhatWasMeant) {
  const auto task = parse_run_request(R"({"prompt":"p","model":"m.gguf","max_token":7})");
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(task.error().message, R"(The request has "max_token", which is not known there)");
  EXPECT_NE(task.error().hint.find("'max_tokens'"), std::string::npos);
  const auto odd = parse_run_request(R"({"prompt":"p","model":"m.gguf","colour":"red"})");
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().hint.find("Did you mean"), std::string::npos);
  EXPECT_EQ(parse_tags(R"({"tags":[],"tag":"a"})").error().code, ErrorCode::invalid_argument);
}

TEST(ParseRunRequest, RefusesAMemberThatComesTwiceOrUnderBothOfItsNames) {
  for (const char* member : {R"("seed":1,"seed":2)", R"("model_path":"n.gguf")",
                             R"("model":"m.gguf")", R"("max_tokens":3,"max_length":3)"}) {
    const auto task =
        parse_run_request(std::string(R"({"prompt":"p","model":"m.gguf",)") + member + "}");
    ASSERT_FALSE(task) << member;
    EXPECT_EQ(task.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_TRUE(parse_run_request(R"({"prompt":"{\"seed\":1,\"seed\":2}","model":"m.gguf"})"));
  EXPECT_FALSE(parse_tags(R"({"tags":["a"],"tags":[]})"));
}

TEST(ParseRunRequest, ADepthThatWasMistypedIsToldWhichWasMeant) {
  const auto task = parse_run_request(R"({"prompt":"p","model":"m.gguf","depth":"depp"})");
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().hint, "Did you mean 'deep'? Choose one of: minimal, module, deep");
}

TEST(ParseRunIds, TakesTwoToTen) {
  EXPECT_EQ(parse_run_ids(R"({"run_ids":["a","b"]})"), (std::vector<std::string>{"a", "b"}));
  for (const char* text :
       {"", "[]", "{}", R"({"run_ids":null})", R"({"run_ids":["a"]})", R"({"run_ids":["a",1]})",
        R"({"run_ids":["a","b"],"runs":[]})", R"({"run_ids":["a","b"],"run_ids":["c","d"]})",
        R"({"run_ids":["1","2","3","4","5","6","7","8","9","10","11"]})"}) {
    const auto ids = parse_run_ids(text);
    ASSERT_FALSE(ids) << text;
    EXPECT_EQ(ids.error().code, ErrorCode::invalid_argument) << text;
    EXPECT_FALSE(ids.error().hint.empty());
  }
  EXPECT_NE(parse_run_ids(R"({"runids":["a","b"]})").error().hint.find("'run_ids'"),
            std::string::npos);
}

TEST(ParseRunIds, RefusesARunThatIsToBeComparedWithItself) {
  const auto ids = parse_run_ids(R"({"run_ids":["a","b","a"]})");
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(ids.error().message, "'run_ids' names run a more than once");
}

TEST(ParseTags, AMemberThatThereIsNotIsNamedWithThoseThatThereAre) {
  for (const char* text : {R"({"tag":["a"]})", R"({"tags":["a"],"tag":["b"]})"}) {
    const auto tags = parse_tags(text);
    ASSERT_FALSE(tags) << text;
    EXPECT_EQ(tags.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(tags.error().message, R"(The request has "tag", which is not known there)");
    EXPECT_EQ(tags.error().hint, "Did you mean 'tags'? Choose one of: tags");
  }
  EXPECT_EQ(parse_tags(R"({"prompt":"x"})").error().hint, "Choose one of: tags");
}

TEST(ParseTags, TakesAListOfTexts) {
  EXPECT_EQ(parse_tags(R"({"tags":["a","b c"]})"), (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(parse_tags(R"({"tags":[]})"), std::vector<std::string>{});
  EXPECT_EQ(parse_tags("[]").error().code, ErrorCode::malformed);
  EXPECT_EQ(parse_tags("{}").error().code, ErrorCode::malformed);
  EXPECT_EQ(parse_tags(R"({"tags":null})").error().code, ErrorCode::malformed);
  EXPECT_EQ(parse_tags(R"({"tags":"a"})").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_tags(R"({"tags":[1]})").error().code, ErrorCode::invalid_argument);
}

TEST(ParseRunRequest, NeedsAPromptAndAModel) {
  EXPECT_EQ(parse_run_request(R"({"model":"m"})").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_run_request(R"({"prompt":"p"})").error().code, ErrorCode::invalid_argument);
  for (const char* text : {"", "[]", "{", "\xff", "null", "7"}) {
    EXPECT_EQ(parse_run_request(text).error().code, ErrorCode::malformed) << text;
  }
}

}  // namespace
}  // namespace enprof
