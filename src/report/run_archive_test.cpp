#include "report/run_archive.hpp"

#include "report/run_csv.hpp"
#include "support/sample_run.hpp"

#include <gtest/gtest.h>

#include <archive.h>
#include <archive_entry.h>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace enprof {
namespace {

/// The files in a ZIP file and their contents.
std::map<std::string, std::string> unpack(const std::string& bytes) {
  archive* const zip = archive_read_new();
  archive_read_support_format_zip(zip);
  EXPECT_EQ(archive_read_open_memory(zip, bytes.data(), bytes.size()), ARCHIVE_OK);
  std::map<std::string, std::string> result;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(zip, &entry) == ARCHIVE_OK) {
    std::string& text = result[archive_entry_pathname(entry)];
    std::string buffer(4096, '\0');
    la_ssize_t count = 0;
    while ((count = archive_read_data(zip, buffer.data(), buffer.size())) > 0) {
      text.append(buffer, 0, static_cast<std::size_t>(count));
    }
    EXPECT_EQ(count, 0) << archive_error_string(zip);
  }
  archive_read_free(zip);
  return result;
}

/// A run whose samples do not compress well.
ProfiledRun run_of_many_samples() {
  ProfiledRun run = testing::sample_run();
  for (int sample = 0; sample < 50'000; ++sample) {
    run.power.samples.push_back(
        {.begin = Nanoseconds{sample * 7919}, .energy = Joules{1.0 / (sample + 1)}});
  }
  return run;
}

TEST(RunArchive, HoldsEveryTableAsItIs) {
  const ProfiledRun run = run_of_many_samples();
  RunArchive archive(std::make_unique<RunInMemory>(run));
  std::string bytes;
  int pieces = 1;
  for (std::size_t before = 0; archive.next(bytes).value(); before = bytes.size()) {
    EXPECT_LT(bytes.size() - before, 4 * TextStream::kPiece);
    ++pieces;
  }
  EXPECT_GT(pieces, 5);
  const auto files = unpack(bytes);
  EXPECT_EQ(files.size(), csv_table_names().size());
  RunInMemory source(run);
  for (const std::string_view name : csv_table_names()) {
    RunCsv csv(source, name);
    std::string text;
    while (csv.next(text).value()) {
    }
    EXPECT_EQ(files.at(std::string(name) + ".csv"), text);
  }
}

TEST(RunArchive, MayBeGivenUpAnywhere) {  // the sanitizer finds leaks
  const ProfiledRun run = run_of_many_samples();
  for (int pieces = 0; pieces < 4; ++pieces) {
    RunArchive archive(std::make_unique<RunInMemory>(run));
    std::string bytes;
    for (int piece = 0; piece < pieces; ++piece) {
      EXPECT_TRUE(archive.next(bytes).value());
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
  ProfiledRun run_ = testing::sample_run();
};

TEST(RunArchive, SaysWhyItHasNoEnd) {
  RunArchive archive(std::make_unique<FailingRun>());
  std::string bytes;
  const auto made = archive.next(bytes);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "The run is gone");
}

}  // namespace
}  // namespace enprof
