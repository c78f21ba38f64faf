#include "report/export_format.hpp"

#include "support/sample_run.hpp"
#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace enprof {
namespace {

TEST(ExportFormat, EachHasItsNameAndItsEnding) {
  std::set<std::string_view> endings;
  for (const ExportFormat& format : export_formats()) {
    EXPECT_EQ(export_format(format.name), &format);
    EXPECT_TRUE(endings.insert(format.ending).second) << format.name;
  }
  EXPECT_EQ(export_format("jsno"), nullptr);
  EXPECT_EQ(export_format("csv"), nullptr);
}

TEST(ExportFormat, EachWritesEveryRun) {
  const ProfiledRun bare{.run_id = "bare"};
  const ProfiledRun small = testing::small_run();
  const ProfiledRun sample = testing::sample_run();
  for (const ExportFormat& format : export_formats()) {
    for (const ProfiledRun* const run : {&small, &sample, &bare}) {
      const auto text = format.write(std::make_unique<RunInMemory>(*run), StackWeight::time);
      const std::string whole = testing::whole_text(*text);
      EXPECT_EQ(whole.empty(), format.name == "folded" && run == &bare) << format.name;
    }
  }
}

/// A run whose rows end in an error.
class FailingRun final : public RunSource {
 public:
  [[nodiscard]] const ProfiledRun& head() const override { return run_; }
  [[nodiscard]] Result<RunSlice> next(RunRows /*list*/) override {
    return fail(ErrorCode::not_found, "The run is gone", "");
  }

 private:
  ProfiledRun run_ = testing::small_run();
};

TEST(ExportFormat, EachSaysWhyItHasNoEnd) {
  for (const ExportFormat& format : export_formats()) {
    const auto text = format.write(std::make_unique<FailingRun>(), StackWeight::energy);
    std::string bytes;
    Result<bool> more = true;
    while (more && *more) {
      more = text->next(bytes);
    }
    ASSERT_FALSE(more) << format.name;
    EXPECT_EQ(more.error().message, "The run is gone") << format.name;
  }
}

}  // namespace
}  // namespace enprof
