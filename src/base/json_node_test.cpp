#include "base/json_node.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <string>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// What is said of a document when it is read so; empty where nothing is wrong.
template <class Read>
std::string complaint(std::string_view text, Read read) {
  try {
    const nlohmann::json document = parse_document(text);
    static_cast<void>(read(JsonNode(document, "the script")));
    return {};
  } catch (const JsonError& wrong) {
    return wrong.what();
  }
}

TEST(JsonNode, ReadsWhatIsThere) {
  const auto json = parse_document(
      R"({"text":"a","number":1.5,"whole":-3,"flag":true,"list":[1,2],"null":null})");
  const JsonNode node(json, "it");
  EXPECT_EQ(node.at("text").text(), "a");
  EXPECT_EQ(node.at("number").number(), 1.5);
  EXPECT_EQ(node.at("whole").whole<std::int8_t>(), -3);
  EXPECT_TRUE(node.at("flag").flag());
  EXPECT_THAT(node.at("list").list([](const JsonNode& entry) { return entry.whole<int>(); }),
              ElementsAre(1, 2));
  const auto text = [](const JsonNode& entry) { return entry.text(); };
  EXPECT_EQ(node.at("text").optional(text), "a");
  for (const char* key : {"null", "missing"}) {
    EXPECT_TRUE(node.at(key).absent());
    EXPECT_EQ(node.at(key).optional(text), std::nullopt);
    EXPECT_EQ(node.at(key).size(), 0U);
    EXPECT_TRUE(node.at(key).json().is_null());
  }
}

TEST(JsonNode, SaysWhichValueIsWrongAndWhereItStands) {
  constexpr const char* kText = R"({"steps":[{"us":1},{"us":"x","more":{"n":[true]}}]})";
  const auto of = [&](auto read) { return complaint(kText, read); };
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[1].at("us").number(); }),
            R"(steps[1].us is "x", not a number)");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[0].at("us").number(2, 3.5); }),
            "steps[0].us is 1, not a number from 2 to 3.5");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[0].at("us").whole(2, 9); }),
            "steps[0].us is 1, not a whole number from 2 to 9");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[1].at("more").at("n").text(); }),
            "steps[1].more.n is [true], not a text");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps").at("x").text(); }),
            "steps is […], not an object");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[0].at("name").text(); }),
            R"(steps[0] has no "name")");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("step").at("x").text(); }),
            R"(the script has no "step")");
  EXPECT_EQ(of([](const JsonNode& n) { return n.flag(); }), "the script is {…}, not true or false");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps")[1].at("us").text(0); }),
            R"(steps[1].us is "x", not a text of at most 0 bytes)");
  EXPECT_EQ(of([](const JsonNode& n) { return n.at("steps").at("us").size(); }),
            "steps is […], not an object");
  EXPECT_EQ(complaint("[1]", [](const JsonNode& n) { return n[0].size(); }),
            "[0] is 1, not a list");
}

TEST(JsonNode, WholeNumbersFitTheirType) {
  const auto of = [](std::string_view text) {
    return complaint(text, [](const JsonNode& n) { return n.whole<std::uint8_t>(); });
  };
  EXPECT_EQ(of("255"), "");
  for (const char* text : {"256", "-1", "1.0", "1e1", "null", "\"1\"", "18446744073709551616"}) {
    EXPECT_THAT(of(text), HasSubstr("not a whole number from 0 to 255")) << text;
  }
}

TEST(JsonNode, AMemberThatIsNotKnownIsRefusedWithTheOneThatWasMeant) {
  const auto json = parse_document(R"({"a":{"tokesn":1}})");
  try {
    JsonNode(json, "it").at("a").allow_only({"tokens", "text"});
    ADD_FAILURE() << "it must be refused";
  } catch (const JsonError& wrong) {
    EXPECT_STREQ(wrong.what(), R"(a has "tokesn", which is not known there)");
    EXPECT_EQ(wrong.hint(), "Did you mean 'tokens'? Choose one of: tokens, text");
  }
}

TEST(JsonNode, OnlyTheBeginOfALongValueIsShown) {
  const std::string text = '"' + std::string(5000, 'x') + '"';
  EXPECT_LT(complaint(text, [](const JsonNode& n) { return n.number(); }).size(), 120U);
}

TEST(JsonNode, ADocumentMayBeDeeperThanTheStack) {
  constexpr std::size_t kDeep = 1'000'000;
  const std::string text =
      R"({"a":)" + std::string(kDeep, '[') + std::string(kDeep, ']') + R"(,"b":1})";
  EXPECT_EQ(complaint(text, [](const JsonNode& n) { return n.at("a").text(); }),
            "a is […], not a text");
  EXPECT_EQ(complaint(text, [](const JsonNode& n) { return n.at("b").text(); }),
            "b is 1, not a text");
}

TEST(ParseDocument, SaysWhereTheTextIsNoJson) {
  const std::string message = complaint("{\n\"a\":}", [](const JsonNode& n) { return n.size(); });
  EXPECT_THAT(message, HasSubstr("line 2, column 5"));
  EXPECT_THAT(message, Not(HasSubstr("json.exception")));
}

}  // namespace
}  // namespace enprof
