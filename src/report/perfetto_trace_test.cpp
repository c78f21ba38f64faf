#include "report/perfetto_trace.hpp"

#include "support/protobuf_reader.hpp"
#include "support/sample_run.hpp"
#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

using testing::ProtobufFields;

/// Reads a trace as Perfetto would: names are looked up among those that came before.
class Reader {
 public:
  explicit Reader(const ProfiledRun& run) {
    PerfettoTrace trace(std::make_unique<RunInMemory>(run));
    const ProtobufFields packets(testing::whole_text(trace));
    for (const ProtobufFields::Field& packet : packets.all()) {
      EXPECT_EQ(packet.number, 1U);
      read(ProtobufFields(packet.bytes));
    }
    EXPECT_TRUE(open_.empty()) << "a slice has no end";
  }

  std::vector<std::string> lines;
  std::map<std::uint64_t, std::string> tracks;
  std::size_t interned = 0;

 private:
  void read(const ProtobufFields& packet) {
    EXPECT_EQ(packet.number(10), 1U);  // the sequence
    if (packet.has(60)) {
      const ProtobufFields track = packet.message(60);
      std::string name = track.text(2);
      if (track.has(3)) {
        name = track.message(3).text(6);
      } else if (track.has(4)) {
        name = track.message(4).text(5);
      } else if (track.has(8)) {
        name += " [" + track.message(8).text(6) + "]";
      }
      EXPECT_TRUE(tracks.emplace(track.number(1), name).second);
      EXPECT_EQ(packet.number(13), tracks.size() == 1 ? 1U : 0U) << "the state is cleared first";
      EXPECT_TRUE(tracks.size() == 1 || tracks.contains(track.number(5))) << "a parent";
      return;
    }
    EXPECT_EQ(packet.number(13), 2U);
    const ProtobufFields data = packet.message(12);
    for (const std::uint32_t list : {1U, 2U, 3U}) {
      for (const std::string& text : data.texts(list)) {
        const ProtobufFields entry(text);
        EXPECT_TRUE(names_[list].emplace(entry.number(1), entry.text(2)).second);
        ++interned;
      }
    }
    read_event(packet.number(8), packet.message(11));
  }

  void read_event(std::uint64_t at, const ProtobufFields& event) {
    const std::uint64_t track = event.number(11);
    ASSERT_TRUE(tracks.contains(track));
    std::string line = fmt::format("{} {} ", static_cast<double>(at) / 1e6, tracks[track]);
    switch (event.number(9)) {
      case 1:
        open_.push_back(track);
        line += "{ " + (event.has(23) ? event.text(23) : names_[2].at(event.number(10)));
        break;
      case 2:
        ASSERT_FALSE(open_.empty());
        EXPECT_EQ(open_.back(), track);
        open_.pop_back();
        line += "}";
        break;
      case 4:
        line += fmt::format("= {:.4f}", event.real(44));
        break;
      default:
        ADD_FAILURE() << event.number(9);
    }
    if (event.has(3)) {
      line += " (" + names_[1].at(event.number(3)) + ")";
    }
    for (const std::string& text : event.texts(4)) {
      const ProtobufFields annotation(text);
      line += " " + names_[3].at(annotation.number(1)) + "=";
      line += annotation.has(6)   ? annotation.text(6)
              : annotation.has(5) ? fmt::format("{:.1f}", annotation.real(5))
                                  : fmt::format("{}", annotation.number(3));
    }
    lines.push_back(line);
  }

  std::map<std::uint32_t, std::map<std::uint64_t, std::string>> names_;  // by list
  std::vector<std::uint64_t> open_;
};

TEST(PerfettoTrace, HasSlicesCountersAndAnnotations) {
  const Reader trace(testing::small_run());
  EXPECT_EQ(trace.lines[0],
            "0 inference { run (run) energy_mj=10000.0 standard_uncertainty_mj=1000.0 "
            "method=attributed coverage=1.0 model=small started_at=2026-09-21T14:13:20.123Z");
  EXPECT_EQ(trace.lines[2],
            "1 inference { forward (section) energy_mj=3000.0 standard_uncertainty_mj=300.0 "
            "method=attributed coverage=1.0");
  EXPECT_EQ(trace.lines[3], "2 inference { layer 0 (layer)");
  EXPECT_EQ(trace.lines[4], "2 inference { q_proj (component)");
  EXPECT_EQ(trace.lines[5], "2 inference { MUL_MAT (operation) energy_mj=1500.0");
  EXPECT_EQ(trace.lines[6], "17 inference }");
  EXPECT_EQ(trace.lines[9], "22 inference } energy_mj=2000.0");
  const std::vector<std::string> last(trace.lines.end() - 8, trace.lines.end());
  EXPECT_EQ(last, (std::vector<std::string>{
                      "0 package-0 power [W] = 100.0000",
                      "40 package-0 power [W] = 120.0000",
                      "60 package-0 not measured { not measured",
                      "70 package-0 not measured }",
                      "70 package-0 power [W] = 80.0000",
                      "90 package-0 not measured { not measured",
                      "100 package-0 not measured }",
                      "50 package-0 temperature_celsius [] = 61.5000",
                  }));
  EXPECT_EQ(trace.tracks.at(1), "enprof run a1b2");
}

TEST(PerfettoTrace, WhatWasNotMeasuredHasNoAnnotation) {
  const Reader trace(testing::small_run_without_power());
  for (const std::string& line : trace.lines) {
    EXPECT_EQ(line.find("energy_mj"), std::string::npos) << line;
  }
}

TEST(PerfettoTrace, NamesAreWrittenOnce) {
  ProfiledRun run = testing::small_run();
  const std::size_t before = Reader(run).interned;
  for (int token = 0; token < 1000; ++token) {
    run.tokens.push_back(run.tokens[2]);
    run.tokens.back().text = std::to_string(token) + "\xFF";
    run.operation_table.events.push_back(run.operation_table.events.back());
  }
  EXPECT_EQ(Reader(run).interned, before);
}

TEST(PerfettoTrace, AnyRunIsATrace) {
  EXPECT_EQ(Reader({.run_id = "bare\xFF"}).lines.size(), 2U);
  ProfiledRun run = testing::sample_run();
  testing::lengthen(run);
  EXPECT_GT(Reader(run).lines.size(), 6000U);
}

}  // namespace
}  // namespace enprof
