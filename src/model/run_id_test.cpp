#include "model/run_id.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

TEST(RunId, IsPlainTextThatIsNoWordOfACommand) {
  for (const auto& id : {std::string{"915eafb830f399b1"}, std::string{"_a.b-c"}, std::string{"7"},
                         std::string(kLongestRunId, 'a')}) {
    EXPECT_TRUE(is_valid_run_id(id)) << id;
  }
  for (const auto& id : {std::string{}, std::string{"last"}, std::string{"../../evil"},
                         std::string{"-rf"}, std::string{".hidden"}, std::string{"a b"},
                         std::string{"caf\xC3\xA9"}, std::string(kLongestRunId + 1, 'a')}) {
    EXPECT_FALSE(is_valid_run_id(id)) << id;
  }
}

}  // namespace
}  // namespace enprof
