#include "server/model_directory.hpp"

#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

class ModelDirectoryTest : public ::testing::Test {
 protected:
  ModelDirectoryTest() {
    dir_.write("hub/models/b.gguf", "12345");
    dir_.write("hub/models/a.gguf", "1");
    dir_.write("hub/models/notes.txt", "");
    dir_.write("hub/models/.hidden.gguf", "");
    dir_.write("hub/models/b\\c.gguf", "");
    dir_.write("hub/models/\xff.gguf", "");
    dir_.write("hub/models/sub/c.gguf", "sub");
    dir_.write("hub/models/split-00001-of-00002.gguf", "first");
    dir_.write("hub/models/split-00002-of-00002.gguf", "second");
    dir_.write("hub/blobs/5e1f", "beside");
    dir_.write("blobs/77aa", "above");
    dir_.write("secret.gguf", "secret");
    link("../../secret.gguf", "link.gguf");
    link(dir_.path() / "secret.gguf", "absolute.gguf");
    link("nowhere", "broken.gguf");
    link("loop.gguf", "loop.gguf");
    link("sub", "folder.gguf");
    link("/dev/zero", "device.gguf");
    link("../models-of-others/blobs/x", "others.gguf");
    link("a.gguf", "alias.gguf");
    link("sub/c.gguf", "below.gguf");
    link("../blobs/5e1f", "registry.gguf");
    link("../../blobs/77aa", "hub.gguf");
  }

  void link(const std::filesystem::path& to, const char* name) const {
    std::filesystem::create_symlink(to, home_ / name);
  }

  testing::TempDir dir_;
  const std::filesystem::path home_ = dir_.path() / "hub/models";
  ModelDirectory models_{home_};
};

TEST_F(ModelDirectoryTest, ListsModelsByName) {
  const auto list = models_.list();
  ASSERT_TRUE(list) << list.error().message;
  std::string names;
  for (const auto& entry : *list) {
    names += entry.name + ":" + std::to_string(entry.bytes) + " ";
  }
  EXPECT_EQ(names,
            "a.gguf:1 alias.gguf:1 b.gguf:5 below.gguf:3 hub.gguf:5 registry.gguf:6 "
            "split-00001-of-00002.gguf:5 ");
}

TEST_F(ModelDirectoryTest, ExactlyTheListedModelsCanBeOpened) {
  std::set<std::string> listed;
  const auto list = models_.list();
  ASSERT_TRUE(list);
  for (const auto& entry : *list) {
    listed.insert(entry.name);
    const auto file = models_.open(entry.name);
    ASSERT_TRUE(file) << entry.name << ": " << file.error().message;
    EXPECT_EQ(file->bytes(), entry.bytes);
    EXPECT_EQ(testing::read_file(file->path()).size(), entry.bytes);
  }
  const std::string later = "split-00002-of-00002.gguf";  // a later part of a listed model
  EXPECT_TRUE(models_.open(later));
  for (const auto& entry : std::filesystem::directory_iterator(home_)) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(models_.open(name).has_value(), listed.contains(name) || name == later) << name;
  }
}

TEST_F(ModelDirectoryTest, FindsAModel) {
  const auto found = models_.open("b.gguf");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->real(), std::filesystem::canonical(home_ / "b.gguf"));
  EXPECT_EQ(testing::read_file(models_.open("registry.gguf")->path()), "beside");
  EXPECT_EQ(testing::read_file(models_.open("hub.gguf")->path()), "above");
}

TEST_F(ModelDirectoryTest, ADirectoryThatIsItselfALinkIsWhereItLeads) {
  std::filesystem::create_symlink(home_, dir_.path() / "link");
  const ModelDirectory models(dir_.path() / "link");
  EXPECT_EQ(models.list()->size(), models_.list()->size());
  EXPECT_FALSE(models.open("link.gguf"));
}

TEST_F(ModelDirectoryTest, WhatWasOpenedStaysWhateverBecomesOfItsName) {
  const auto file = models_.open("alias.gguf");
  ASSERT_TRUE(file);
  std::filesystem::remove(home_ / "alias.gguf");
  link("../../secret.gguf", "alias.gguf");
  EXPECT_EQ(testing::read_file(file->path()), "1");
}

TEST_F(ModelDirectoryTest, ALinkThatIsChangedAllTheTimeNeverLeadsOut) {
  std::atomic<bool> done{false};
  std::thread changing([&] {
    for (int turn = 0; !done; ++turn) {
      std::filesystem::create_symlink(turn % 2 == 0 ? "../../secret.gguf" : "a.gguf",
                                      home_ / "next.gguf");
      std::filesystem::rename(home_ / "next.gguf", home_ / "raced.gguf");
    }
  });
  int opened = 0;
  int refused = 0;
  while (opened < 200 || refused < 200) {
    const auto file = models_.open("raced.gguf");
    if (file) {
      ++opened;
      ASSERT_EQ(testing::read_file(file->path()), "1");
    } else {
      ++refused;
    }
  }
  done = true;
  changing.join();
}

TEST_F(ModelDirectoryTest, LinksThatLeadElsewhereAreListed) {
  EXPECT_EQ(models_.strays(), (std::vector<std::string>{"absolute.gguf", "link.gguf"}));
}

TEST_F(ModelDirectoryTest, PathsAreRefused) {
  for (const std::string& name :
       {std::string("../secret.gguf"), std::string("sub/c.gguf"), std::string(".."),
        std::string(""), std::string("/etc/passwd"), std::string("notes.txt"),
        std::string("..\\secret.gguf"), std::string("a.gguf\0.gguf", 12), std::string(".gguf")}) {
    const auto found = models_.open(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::invalid_argument) << name;
  }
}

TEST_F(ModelDirectoryTest, ALinkOutOfTheDirectoryIsRefused) {
  const auto found = models_.open("link.gguf");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::permission_denied);
  EXPECT_FALSE(models_.open("absolute.gguf"));
}

TEST_F(ModelDirectoryTest, AFileThatMayNotBeReadIsNotOffered) {
  std::filesystem::permissions(home_ / "b.gguf", std::filesystem::perms::none);
  std::filesystem::permissions(dir_.path(), std::filesystem::perms{0755});
  const testing::Unprivileged other_user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything";
  }
  EXPECT_TRUE(models_.open("a.gguf"));
  EXPECT_EQ(models_.open("b.gguf").error().code, ErrorCode::permission_denied);
  const auto list = models_.list();
  ASSERT_TRUE(list);
  for (const auto& entry : *list) {
    EXPECT_NE(entry.name, "b.gguf");
  }
}

TEST_F(ModelDirectoryTest, MessagesNameNoPath) {
  const ModelDirectory none(dir_.path() / "gone");
  for (const Error& error : {none.list().error(), none.open("a.gguf").error(),
                             models_.open("link.gguf").error(), models_.open("x.gguf").error()}) {
    EXPECT_EQ((error.message + error.hint).find(dir_.path().string()), std::string::npos)
        << error.message;
  }
}

TEST_F(ModelDirectoryTest, AMissingModelIsAnsweredWithTheExistingOnes) {
  for (const char* name : {"nope.gguf", "broken.gguf"}) {
    const auto found = models_.open(name);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::not_found);
    EXPECT_NE(found.error().hint.find("a.gguf"), std::string::npos);
  }
}

TEST_F(ModelDirectoryTest, AMissingDirectoryIsAnError) {
  const ModelDirectory none(dir_.path() / "gone");
  EXPECT_FALSE(none.list());
  EXPECT_FALSE(none.open("a.gguf"));
}

}  // namespace
}  // namespace enprof
