#include "power/powermetrics/powermetrics_stream.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

const std::string kOne = "<?xml 1?><plist>one</plist>";
const std::string kTwo = "<?xml 2?><plist>two</plist>";
const std::string kNul(1, '\0');

std::vector<std::string> drain(PowermetricsStream& stream) {
  std::vector<std::string> result;
  while (auto document = stream.next()) {
    result.push_back(std::move(*document));
  }
  return result;
}

TEST(PowermetricsStream, CutsWhereverTheNulStands) {
  for (const std::string& bytes :
       {kOne + "\n" + kNul + kTwo + "\n" + kNul, kNul + kOne + kNul + kTwo, kOne + kTwo,
        kOne + "\n\n" + kTwo + "\n"}) {
    PowermetricsStream stream;
    stream.add(bytes);
    EXPECT_EQ(drain(stream), (std::vector<std::string>{kOne, kTwo}));
    EXPECT_EQ(stream.pop_cut_off(), 0U);
  }
}

TEST(PowermetricsStream, CutsByteByByteAlike) {
  PowermetricsStream stream;
  std::vector<std::string> result;
  for (const char byte : kNul + kOne + "\n" + kNul + kTwo) {
    stream.add(std::string_view(&byte, 1));
    for (auto& document : drain(stream)) {
      result.push_back(std::move(document));
    }
  }
  EXPECT_EQ(result, (std::vector<std::string>{kOne, kTwo}));
}

TEST(PowermetricsStream, AnEndTagIsEnough) {
  PowermetricsStream stream;
  stream.add(kOne);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{kOne}));
}

TEST(PowermetricsStream, AHalfDocumentIsHandedOutForTheParserToRefuse) {
  PowermetricsStream stream;
  stream.add("<?xml half" + kNul + kTwo);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{"<?xml half", kTwo}));
}

TEST(PowermetricsStream, AHalfDocumentDoesNotSpoilTheNext) {
  PowermetricsStream stream;
  stream.add("<?xml half<dict>" + kTwo);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{kTwo}));
  EXPECT_EQ(stream.pop_cut_off(), 1U);
  EXPECT_EQ(stream.pop_cut_off(), 0U);
}

TEST(PowermetricsStream, ALongDocumentIsThrownAwayAndCountedOnce) {
  PowermetricsStream stream(100);
  for (int piece = 0; piece < 50; ++piece) {
    stream.add(std::string(90, 'x'));
    EXPECT_EQ(stream.next(), std::nullopt);
  }
  stream.add("</pli");
  EXPECT_EQ(stream.next(), std::nullopt);
  stream.add("st>" + kOne);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{kOne}));
  EXPECT_EQ(stream.pop_oversized(), 1U);
  stream.add(std::string(200, 'y') + kNul + kTwo);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{kTwo}));
  EXPECT_EQ(stream.pop_oversized(), 1U);
}

TEST(PowermetricsStream, NothingIsNothing) {
  PowermetricsStream stream;
  EXPECT_EQ(stream.next(), std::nullopt);
  stream.add(kNul + "\n \n" + kNul);
  EXPECT_EQ(stream.next(), std::nullopt);
  stream.add("<?xml beg");
  stream.clear();
  stream.add(kOne);
  EXPECT_EQ(drain(stream), (std::vector<std::string>{kOne}));
}

}  // namespace
}  // namespace enprof
