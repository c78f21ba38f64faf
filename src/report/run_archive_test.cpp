#include "report/run_archive.hpp"

#include "report/run_csv.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <archive.h>
#include <archive_entry.h>
#include <map>
#include <string>
#include <unistd.h>

namespace enprof {
namespace {

/// The files of a ZIP file and what they hold.
std::map<std::string, std::string> unpack(UnnamedFile& file) {
  const int descriptor = file.release();
  archive* const zip = archive_read_new();
  archive_read_support_format_zip(zip);
  EXPECT_EQ(archive_read_open_fd(zip, descriptor, 4096), ARCHIVE_OK);
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
  ::close(descriptor);
  return result;
}

TEST(RunArchive, HoldsEveryTableAsItIs) {
  const testing::TempDir directory;
  ProfiledRun run = testing::sample_run();
  run.power.samples.resize(50'000, run.power.samples[0]);  // several pieces
  auto file = UnnamedFile::create(directory.path());
  ASSERT_TRUE(file);
  const auto written = write_csv_archive(run, *file);
  ASSERT_TRUE(written) << written.error().message;
  const auto files = unpack(*file);
  const auto tables = run_to_csv(run);
  EXPECT_EQ(files.size(), tables.size());
  for (const CsvTable& table : tables) {
    EXPECT_EQ(files.at(table.name() + ".csv"), table.text());
  }
}

TEST(RunArchive, AFullDiskIsAnErrorThatSaysWhere) {
  const testing::Tmpfs tmpfs("16k");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  ProfiledRun run = testing::sample_run();
  for (int sample = 0; sample < 50'000; ++sample) {
    run.power.samples.push_back(
        {.begin = Nanoseconds{sample * 7919}, .energy = Joules{1.0 / (sample + 1)}});
  }
  auto file = UnnamedFile::create(tmpfs.path());
  ASSERT_TRUE(file);
  const auto written = write_csv_archive(run, *file);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, ::testing::HasSubstr(tmpfs.path().string()));
  EXPECT_THAT(written.error().message, ::testing::HasSubstr("No space left"));
}

}  // namespace
}  // namespace enprof
