#include "cli/live_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace enprof {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Applies events as the server sends them, with numbers.
class LiveRunTest : public ::testing::Test {
 protected:
  void send(const std::string& type, const std::string& data = "{}", double t_ms = 0.0,
            const std::string& run_id = "r1") {
    run_.apply(Json{{"seq", ++seq_},
                    {"run_id", run_id},
                    {"type", type},
                    {"t_ms", t_ms},
                    {"data", Json::parse(data)}});
  }
  void token(int index, double energy_mj, double t_ms, const std::string& text = "x") {
    send("token_complete",
         Json{{"index", index},
              {"text", text},
              {"phase", index == 0 ? "prefill" : "decode"},
              {"energy_mj", energy_mj}}
             .dump(),
         t_ms);
  }

  LiveRun run_;
  std::uint64_t seq_ = 0;
};

TEST_F(LiveRunTest, FollowsARunFromItsModelToItsEnd) {
  EXPECT_EQ(run_.status(), "waiting");
  send("model_loading", R"({"model":"m.gguf","progress_ratio":0.5})");
  EXPECT_EQ(run_.status(), "loading");
  EXPECT_EQ(run_.loading(), 0.5);
  send("run_started");
  EXPECT_EQ(run_.status(), "running");
  EXPECT_EQ(run_.model(), "m.gguf");
  send("section_start", R"({"phase":"prefill","section":"forward"})", 1);
  EXPECT_EQ(run_.phase(), "prefill");
  EXPECT_EQ(run_.section(), "forward");
  token(0, 500, 100, "Hel");
  EXPECT_FALSE(run_.tokens_per_second());
  EXPECT_FALSE(run_.joules_per_token()) << "the first token belongs to prefill";
  token(1, 40, 150, "lo");
  token(2, 60, 200, "!");
  send("power_sample", R"({"power_mw":50000,"energy_mj":1000})", 210);
  EXPECT_DOUBLE_EQ(run_.tokens_per_second().value_or(0), 20);
  EXPECT_DOUBLE_EQ(run_.joules_per_token()->value(), 0.05);
  EXPECT_TRUE(run_.is_provisional());
  EXPECT_DOUBLE_EQ(run_.power()->value(), 50);
  EXPECT_DOUBLE_EQ(run_.energy()->value(), 1);
  EXPECT_EQ(run_.text(), "Hello!");

  send("inference_complete", R"({"status":"completed","energy_mj":1100,"duration_ms":220})", 220);
  send(
      "energy_settled",
      R"({"tokens":[{"index":0,"energy_mj":510},{"index":1,"energy_mj":50},{"index":2,"energy_mj":70},
                     {"index":99,"energy_mj":1}]})",
      220);
  EXPECT_TRUE(run_.is_over());
  EXPECT_DOUBLE_EQ(run_.joules_per_token()->value(), 0.06);
  EXPECT_FALSE(run_.is_provisional());
  EXPECT_DOUBLE_EQ(run_.energy()->value(), 1.1);
  EXPECT_DOUBLE_EQ(run_.power()->value(), 5) << "the mean of the run";
  EXPECT_EQ(run_.last_event(), seq_);
}

TEST_F(LiveRunTest, WhatIsUnknownIsAbsentAndNeverZero) {
  send("run_started");
  send("power_sample", R"({"power_mw":null,"energy_mj":null})");
  send("token_complete", R"({"index":1,"phase":"decode","energy_mj":null})");
  EXPECT_FALSE(run_.power());
  EXPECT_FALSE(run_.energy());
  EXPECT_FALSE(run_.joules_per_token());
  send("inference_complete", R"({"status":"completed","energy_mj":null,"duration_ms":5})");
  EXPECT_FALSE(run_.energy());
  EXPECT_FALSE(run_.power());
}

TEST_F(LiveRunTest, AnotherRunReplacesTheLatestButNotASelectedOne) {
  send("run_started");
  token(0, 1, 1);
  send("warning", R"({"message":"hot","hint":null})");
  send("run_started", "{}", 0, "r2");
  EXPECT_EQ(run_.run_id(), "r2");
  EXPECT_EQ(run_.tokens(), 0U);
  EXPECT_THAT(run_.complaints(), IsEmpty());

  run_ = {};
  run_.select_run("r1");
  send("run_started", "{}", 0, "r2");
  EXPECT_EQ(run_.run_id(), "");
  send("run_started", "{}", 0, "r1");
  send("inference_complete", R"({"status":"cancelled"})", 1, "r1");
  send("run_started", "{}", 0, "r3");
  EXPECT_EQ(run_.run_id(), "r1");
  EXPECT_EQ(run_.status(), "cancelled");
}

TEST_F(LiveRunTest, RailsAreMarkedWhereTheyAreEstimatesOrPartOfOthers) {
  run_.apply_power_status(Json::parse(R"({"domains":[
      {"name":"package-0","method":"measured","within":null},
      {"name":"core-0","method":"measured","within":"package-0"},
      {"name":"cpu","method":"estimated","within":"package-0"}]})"));
  EXPECT_FALSE(run_.is_estimated()) << "only root domains count";
  send("power_sample", R"({"power_mw":40000,"rails":[{"name":"package-0","power_mw":40000},
                           {"name":"core-0","power_mw":null},{"name":"gpu-0","power_mw":5000}]})");
  ASSERT_THAT(run_.rails(), SizeIs(4));
  EXPECT_DOUBLE_EQ(run_.rails()[0].power->value(), 40);
  EXPECT_FALSE(run_.rails()[1].power);
  EXPECT_FALSE(run_.rails()[1].is_root);
  EXPECT_TRUE(run_.rails()[2].estimated);
  EXPECT_EQ(run_.rails()[3].name, "gpu-0");
  send("power_sample", R"({"power_mw":null,"rails":[]})");
  EXPECT_FALSE(run_.rails()[0].power) << "a sample without it means that it is unknown now";
  run_.apply_power_status(Json::parse(R"({"domains":[{"name":"cpu","method":"estimated"}]})"));
  EXPECT_TRUE(run_.is_estimated());
}

TEST_F(LiveRunTest, AGapIsCountedAndAFailureKept) {
  send("gap", R"({"missed":12,"restarted":false})", 0, "");
  send("gap", R"({"missed":3,"restarted":false})", 0, "");
  EXPECT_EQ(run_.missed(), 15U);
  EXPECT_FALSE(run_.restarted());
  send("error", R"({"code":"corrupt","message":"The file is damaged","hint":"Copy it again."})");
  EXPECT_EQ(run_.status(), "failed");
  ASSERT_THAT(run_.complaints(), SizeIs(1));
  EXPECT_EQ(run_.complaints()[0].hint, "Copy it again.");
  for (int count = 0; count < 100; ++count) {
    send("warning", R"({"message":"again"})");
  }
  EXPECT_THAT(run_.complaints(), SizeIs(LiveRun::kComplaints));
}

TEST_F(LiveRunTest, ARestartedServerInterruptedTheRun) {
  send("run_started");
  token(0, 1, 1);
  send("gap", R"({"missed":null,"restarted":true})", 0, "");
  EXPECT_EQ(run_.status(), "interrupted");
  EXPECT_TRUE(run_.is_over());
  EXPECT_TRUE(run_.restarted());
  EXPECT_EQ(run_.missed(), 0U) << "the number is unknown";
  EXPECT_EQ(run_.last_event(), seq_);
  send("run_started", "{}", 0, "r2");
  EXPECT_EQ(run_.status(), "running");
  EXPECT_FALSE(run_.restarted()) << "this run belongs to the new server";
}

TEST_F(LiveRunTest, ARestartedServerDoesNotChangeAFinishedRun) {
  send("gap", R"({"missed":null,"restarted":true})", 0, "");
  EXPECT_EQ(run_.status(), "waiting");
  send("run_started");
  send("inference_complete", R"({"status":"completed"})", 1);
  send("gap", R"({"missed":null,"restarted":true})", 0, "");
  EXPECT_EQ(run_.status(), "completed");
  EXPECT_TRUE(run_.restarted());
}

TEST_F(LiveRunTest, KeepsTheEndOfALongResponseInWholeCharacters) {
  send("run_started");
  for (int index = 0; index < 10'000; ++index) {
    token(index, 1, index, "€");
  }
  EXPECT_GE(run_.text().size(), LiveRun::kTextBytes - 3);
  EXPECT_LE(run_.text().size(), 2 * LiveRun::kTextBytes);
  EXPECT_TRUE(run_.text().starts_with("€"));
}

TEST_F(LiveRunTest, EventsOfAnotherShapeDoNoHarm) {
  for (
      const char* text :
      {"3", "[]", "{}", R"({"type":3,"run_id":[],"seq":-1,"t_ms":"x","data":[]})",
       R"({"type":"gap","seq":1,"data":{"missed":-5,"restarted":1}})",
       R"({"type":"token_complete","run_id":"r","seq":1.5,"t_ms":1e300,"data":{"index":1e300}})",
       R"({"type":"token_complete","run_id":"r","seq":1,"t_ms":-1,"data":{"index":-1,"text":7}})",
       R"({"type":"energy_settled","run_id":"r","seq":2,"data":{"tokens":[3,{"index":"a"},null]}})",
       R"({"type":"power_sample","run_id":"r","seq":3,"data":{"rails":[1,{"name":2}]}})",
       R"({"type":"unheard_of","run_id":"r","seq":4})"}) {
    run_.apply(Json::parse(text));
    run_.apply_power_status(Json::parse(text));
  }
  run_.apply_power_status(Json::parse(R"({"domains":[1,{"name":3,"within":4}]})"));
  EXPECT_EQ(run_.run_id(), "r");
  EXPECT_EQ(run_.missed(), 0U);
  EXPECT_FALSE(run_.restarted());
  EXPECT_FALSE(run_.power());
}

TEST_F(LiveRunTest, KnowsTheRequestsOfAProgram) {
  send("run_started");
  EXPECT_FALSE(run_.requests());
  send("request_metrics",
       R"({"passes":9,"requests":17,"in_flight":3,"output_tokens":40,"tokens_per_second":42.5,
           "mean_sequences":null,"energy_per_output_token_mj":1100,
           "running":[{"number":15,"sequence":2,"begin_ms":500,"prompt_tokens":12,
                       "output_tokens":4,"time_to_first_token_ms":null},{},7]})",
       1000);
  ASSERT_TRUE(run_.requests());
  const LiveRun::Requests& now = *run_.requests();
  EXPECT_EQ(now.begun, 17U);
  EXPECT_EQ(now.in_flight, 3U);
  EXPECT_EQ(now.tokens_per_second, 42.5);
  EXPECT_FALSE(now.mean_sequences);
  EXPECT_DOUBLE_EQ(now.energy_per_token->value(), 1.1);
  ASSERT_THAT(now.running, SizeIs(3));
  EXPECT_EQ(now.running[0].number, 15U);
  EXPECT_EQ(now.running[0].sequence, 2U);
  EXPECT_EQ(now.running[0].begin, std::chrono::milliseconds{500});
  EXPECT_FALSE(now.running[0].first_token);
  EXPECT_FALSE(now.running[1].begin) << "whatever an event lacks stays empty";
  send("request_metrics", R"({"requests":18,"running":[]})", 1250);
  EXPECT_EQ(run_.requests()->begun, 18U);
  EXPECT_THAT(run_.requests()->running, IsEmpty()) << "each event replaces the one before";
  send("run_started", "{}", 0, "r2");
  EXPECT_FALSE(run_.requests());
}

}  // namespace
}  // namespace enprof
