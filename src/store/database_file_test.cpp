#include "store/database_file.hpp"

#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"
#include "support/unprivileged.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <sys/stat.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;

/// An environment variable for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const old = getenv(name)) {
      old_ = old;
    }
    set(value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }

  void set(const char* value) const {
    if (value != nullptr) {
      setenv(name_, value, 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(DatabaseFile, TheDefaultPlaceFollowsTheXdgSpecification) {
  const Variable data("XDG_DATA_HOME", "/data");
  const Variable home("HOME", "/home/ada");
  EXPECT_EQ(default_database_path(), fs::path{"/data/enprof/profiles.db"});
  const fs::path at_home{"/home/ada/.local/share/enprof/profiles.db"};
  for (const char* const unset : {"", "relative/data", static_cast<const char*>(nullptr)}) {
    data.set(unset);
    EXPECT_EQ(default_database_path(), at_home);
  }
  for (const char* const unset : {"", static_cast<const char*>(nullptr)}) {
    home.set(unset);
    const auto nowhere = default_database_path();
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
    EXPECT_NE(nowhere.error().hint.find("--db"), std::string::npos);
  }
}

TEST(DatabaseFile, DirectoriesAreMadeForTheUserAlone) {
  const testing::TempDir dir;
  const fs::path file = dir.path() / "a" / "b" / "profiles.db";
  auto place = DatabasePlace::prepare(file);
  ASSERT_TRUE(place);
  place->keep();
  EXPECT_EQ(place->absolute(), file);
  EXPECT_EQ(fs::status(dir.path() / "a").permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(dir.path() / "a" / "b").permissions(), fs::perms::owner_all);
  EXPECT_FALSE(fs::exists(file));
}

TEST(DatabaseFile, WhatWasMadeGoesAgainUnlessKept) {
  const testing::TempDir dir;
  const fs::path file = dir.path() / "a" / "b" / "profiles.db";
  fs::create_directory(dir.path() / "a");
  {
    const auto place = DatabasePlace::prepare(file);
    ASSERT_TRUE(place);
    dir.write("a/b/profiles.db", "");
  }
  EXPECT_TRUE(fs::exists(dir.path() / "a")) << "it was there before";
  EXPECT_FALSE(fs::exists(dir.path() / "a" / "b"));
  {
    const auto place = DatabasePlace::prepare(file);
    ASSERT_TRUE(place);
    dir.write("a/b/profiles.db", std::string(8192, 'x'));  // another program was faster
  }
  EXPECT_TRUE(fs::exists(file));
  dir.write("a/b/empty.db", "");
  {
    const auto place = DatabasePlace::prepare(dir.path() / "a" / "b" / "empty.db");
    ASSERT_TRUE(place);
  }
  EXPECT_TRUE(fs::exists(dir.path() / "a" / "b" / "empty.db")) << "it was there before";
}

TEST(DatabaseFile, APathThatCannotBeAFileIsRefused) {
  const testing::TempDir dir;
  dir.write("plain", "text");
  const auto refused = [](const fs::path& path, std::string_view why) {
    const auto place = DatabasePlace::prepare(path);
    ASSERT_FALSE(place) << path;
    EXPECT_EQ(place.error().code, ErrorCode::invalid_argument) << place.error().message;
    EXPECT_NE(place.error().message.find(why), std::string::npos) << place.error().message;
    EXPECT_FALSE(place.error().hint.empty());
  };
  refused("", "does not name a file");
  refused(dir.path() / "new" / "", "does not name a file");
  refused(fs::path{std::string{"a\0b", 3}}, "does not name a file");
  refused(dir.path(), "is a directory");
  refused("/dev/null", "not a regular file");
  refused(dir.path() / "plain" / "profiles.db", "plain is a file");
  refused(dir.path() / "plain" / "deeper" / "profiles.db", "plain is a file");
  EXPECT_FALSE(fs::exists(dir.path() / "new"));
}

TEST(DatabaseFile, ADirectoryThatCannotBeMadeSaysWhy) {
  const auto place = DatabasePlace::prepare("/proc/enprof/profiles.db");
  ASSERT_FALSE(place);
  EXPECT_NE(place.error().message.find("Cannot create the directory /proc/enprof"),
            std::string::npos)
      << place.error().message;
  EXPECT_FALSE(place.error().hint.empty());
}

TEST(DatabaseFile, AReadOnlyFileSystemIsNamedAsTheReason) {
  const testing::Tmpfs tmpfs("64k");
  if (!tmpfs.mounted() || !tmpfs.make_read_only()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const auto place = DatabasePlace::prepare(tmpfs.path() / "new" / "profiles.db");
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, ErrorCode::permission_denied);
  EXPECT_NE(place.error().message.find("Read-only file system"), std::string::npos);
  EXPECT_NE(place.error().hint.find("mounted read-only"), std::string::npos);

  const Error error = explain_refusal(tmpfs.path() / "profiles.db", "unable to open");
  EXPECT_EQ(error.code, ErrorCode::permission_denied);
  EXPECT_NE(error.message.find(tmpfs.path().string()), std::string::npos);
}

TEST(DatabaseFile, AMissingRightIsNamedWithTheCommandThatGivesIt) {
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may do anything, and this process cannot become another user";
  }
  const testing::TempDir dir;
  const fs::path file = dir.write("closed/profiles.db", "x");
  ASSERT_EQ(chmod(file.c_str(), S_IRUSR), 0);
  Error error = explain_refusal(file, "");
  EXPECT_EQ(error.code, ErrorCode::permission_denied);
  EXPECT_NE(error.message.find("cannot be written"), std::string::npos);
  EXPECT_NE(error.hint.find("chmod u+w " + file.string()), std::string::npos);
  ASSERT_EQ(chmod(file.c_str(), 0), 0);
  error = explain_refusal(file, "");
  EXPECT_NE(error.message.find("cannot be read"), std::string::npos);

  ASSERT_EQ(chmod(file.parent_path().c_str(), S_IRUSR | S_IXUSR), 0);
  const auto place = DatabasePlace::prepare(file.parent_path() / "sub" / "profiles.db");
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, ErrorCode::permission_denied);
  EXPECT_NE(place.error().hint.find("chmod u+rwx " + file.parent_path().string()),
            std::string::npos);
  EXPECT_EQ(explain_refusal(file.parent_path() / "new.db", "").code, ErrorCode::permission_denied);
  ASSERT_EQ(chmod(file.parent_path().c_str(), S_IRWXU), 0);
}

TEST(DatabaseFile, WithoutAReasonTheDetailIsSaid) {
  const testing::TempDir dir;
  const Error error = explain_refusal(dir.write("profiles.db", "x"), "unable to open");
  EXPECT_EQ(error.code, ErrorCode::io);
  EXPECT_NE(error.message.find("unable to open"), std::string::npos);
}

}  // namespace
}  // namespace enprof
