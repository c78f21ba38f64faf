#include "server/model_directory.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace enprof {
namespace {

class ModelDirectoryTest : public ::testing::Test {
 protected:
  ModelDirectoryTest() {
    dir_.write("models/b.gguf", "12345");
    dir_.write("models/a.gguf", "1");
    dir_.write("models/notes.txt", "");
    dir_.write("models/sub/c.gguf", "");
    dir_.write("secret.gguf", "");
    std::filesystem::create_symlink(dir_.path() / "secret.gguf", dir_.path() / "models/link.gguf");
    std::filesystem::create_symlink(dir_.path() / "nowhere", dir_.path() / "models/broken.gguf");
    std::filesystem::create_symlink("a.gguf", dir_.path() / "models/alias.gguf");
  }

  testing::TempDir dir_;
  ModelDirectory models_{dir_.path() / "models"};
};

TEST_F(ModelDirectoryTest, ListsModelsByName) {
  const auto list = models_.list();
  ASSERT_TRUE(list) << list.error().message;
  std::string names;
  for (const auto& entry : *list) {
    names += entry.name + ":" + std::to_string(entry.bytes) + " ";
  }
  EXPECT_EQ(names, "a.gguf:1 alias.gguf:1 b.gguf:5 link.gguf:0 ");
}

TEST_F(ModelDirectoryTest, FindsAModel) {
  const auto found = models_.find("b.gguf");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, std::filesystem::canonical(dir_.path() / "models/b.gguf"));
  EXPECT_TRUE(models_.find("alias.gguf"));
}

TEST_F(ModelDirectoryTest, PathsAreNoNames) {
  for (const std::string& name :
       {std::string("../secret.gguf"), std::string("sub/c.gguf"), std::string(".."),
        std::string(""), std::string("/etc/passwd"), std::string("notes.txt"),
        std::string("..\\secret.gguf"), std::string("a.gguf\0.gguf", 12), std::string(".gguf")}) {
    const auto found = models_.find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::invalid_argument) << name;
  }
}

TEST_F(ModelDirectoryTest, ALinkOutOfTheDirectoryIsRefused) {
  const auto found = models_.find("link.gguf");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::permission_denied);
}

TEST_F(ModelDirectoryTest, AMissingModelIsAnsweredWithThoseThereAre) {
  for (const char* name : {"nope.gguf", "broken.gguf"}) {
    const auto found = models_.find(name);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::not_found);
    EXPECT_NE(found.error().hint.find("a.gguf"), std::string::npos);
  }
}

TEST_F(ModelDirectoryTest, AMissingDirectoryIsAnError) {
  const ModelDirectory none(dir_.path() / "gone");
  EXPECT_FALSE(none.list());
  EXPECT_FALSE(none.find("a.gguf"));
}

}  // namespace
}  // namespace enprof
