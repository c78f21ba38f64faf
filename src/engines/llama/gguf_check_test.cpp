#include "engines/llama/gguf_check.hpp"

#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

template <class Number>
std::string bytes_of(Number value) {
  std::string text(sizeof(value), '\0');
  std::memcpy(text.data(), &value, sizeof(value));
  return text;
}

std::string gguf_string(std::string_view text) {
  return bytes_of(std::uint64_t{text.size()}) + std::string(text);
}

std::string header(std::uint32_t version, std::int64_t tensors, std::int64_t keys) {
  return "GGUF" + bytes_of(version) + bytes_of(tensors) + bytes_of(keys);
}

std::string text_key(std::string_view key, std::string_view value) {
  return gguf_string(key) + bytes_of(std::int32_t{GGUF_TYPE_STRING}) + gguf_string(value);
}

std::string short_key(std::string_view key, std::uint16_t value) {
  return gguf_string(key) + bytes_of(std::int32_t{GGUF_TYPE_UINT16}) + bytes_of(value);
}

std::string tensor_info(std::string_view name, std::int64_t width, std::uint64_t offset) {
  return gguf_string(name) + bytes_of(std::uint32_t{1}) + bytes_of(width) +
         bytes_of(std::int32_t{GGML_TYPE_F32}) + bytes_of(offset);
}

/// Keys, one tensor of 64 floats, padding and data.
std::string small_gguf(const std::string& more_keys = "", std::int64_t more = 0) {
  std::string text = header(3, 1, 1 + more) + text_key("general.architecture", "llama") +
                     more_keys + tensor_info("weight", 64, 0);
  text.resize((text.size() + 31) / 32 * 32);
  return text + std::string(64 * sizeof(float), 'w');
}

/// A part of a split model with one tensor, as gguf-split writes it: only the first has all keys.
std::string part_of_model(std::uint16_t number, std::uint16_t count, std::int32_t tensors,
                          std::string_view tensor) {
  const std::string split = short_key("split.no", number) + short_key("split.count", count) +
                            gguf_string("split.tensors.count") +
                            bytes_of(std::int32_t{GGUF_TYPE_INT32}) + bytes_of(tensors);
  std::string text =
      number == 0 ? header(3, 1, 4) + text_key("general.architecture", "llama") : header(3, 1, 3);
  text += split + tensor_info(tensor, 64, 0);
  text.resize((text.size() + 31) / 32 * 32);
  return text + std::string(64 * sizeof(float), 'w');
}

class GgufCheck : public ::testing::Test {
 protected:
  [[nodiscard]] Error error_of(std::string_view content, const char* name = "model.gguf") const {
    return error_at(directory_.write(name, content));
  }
  [[nodiscard]] static Error error_at(const fs::path& path) {
    const auto checked = check_model(path);
    EXPECT_FALSE(checked.has_value());
    const Error error = checked ? Error{} : checked.error();
    EXPECT_THAT(error.message, HasSubstr(path.filename().string()));
    EXPECT_NE(error.hint, "") << error.message;
    return error;
  }

  const testing::TempDir directory_;
};

TEST_F(GgufCheck, AcceptsAWholeFile) {
  const auto checked = check_model(directory_.write("m.gguf", small_gguf()));
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_THAT(checked->parts, SizeIs(1));
  EXPECT_EQ(checked->weight_bytes, 256U);
  EXPECT_EQ(checked->file_bytes, small_gguf().size());
  EXPECT_EQ(checked->metadata.architecture(), "llama");
}

TEST_F(GgufCheck, MissingFile) {
  const Error error = error_at(directory_.path() / "none.gguf");
  EXPECT_EQ(error.code, ErrorCode::not_found);
  EXPECT_THAT(error.hint, HasSubstr("enprof model synth -o none.gguf"));
  EXPECT_EQ(error_at(directory_.path() / "no/such/dir/m.gguf").code, ErrorCode::not_found);
  directory_.write("file", "x");
  EXPECT_EQ(error_at(directory_.path() / "file/m.gguf").code, ErrorCode::not_found);
}

TEST_F(GgufCheck, DirectoryNamesAModelInIt) {
  EXPECT_EQ(error_at(directory_.path()).code, ErrorCode::invalid_argument);
  directory_.write("b.gguf", "x");
  directory_.write("a.gguf", "x");
  const Error error = error_at(directory_.path());
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("is a directory"));
  EXPECT_THAT(error.hint, HasSubstr("a.gguf"));
}

TEST_F(GgufCheck, UnreadableFile) {
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const testing::TempDir directory;  // owned by that user
  const auto path = directory.write("m.gguf", small_gguf());
  fs::permissions(path, fs::perms::none);
  EXPECT_EQ(error_at(path).code, ErrorCode::permission_denied);
}

TEST_F(GgufCheck, PipeIsRefusedWithoutWaiting) {
  const auto path = directory_.path() / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_at(path).code, ErrorCode::invalid_argument);
}

TEST_F(GgufCheck, EmptyFile) {
  const Error error = error_of("");
  EXPECT_EQ(error.code, ErrorCode::corrupt);
  EXPECT_THAT(error.message, HasSubstr("is empty"));
}

TEST_F(GgufCheck, OtherFormatsAreNamed) {
  using namespace std::string_view_literals;
  const std::array<std::pair<std::string_view, const char*>, 7> formats{{
      {"PK\x03\x04rest"sv, "PyTorch"},
      {"\x80\x02}q"sv, "PyTorch"},
      {"\x40\x01\0\0\0\0\0\0{\"a\""sv, "safetensors"},
      {"tjgg\x01\0\0\0"sv, "old format"},
      {"version https://git-lfs.github.com/spec/v1\n"sv, "Git LFS"},
      {"<!DOCTYPE html>"sv, "web page"},
      {"{\"error\":1}"sv, "JSON"},
  }};
  for (const auto& [content, name] : formats) {
    const Error error = error_of(content);
    EXPECT_EQ(error.code, ErrorCode::malformed);
    EXPECT_THAT(error.message, AllOf(HasSubstr("is not a GGUF file"), HasSubstr(name)));
  }
  EXPECT_THAT(error_of("abc\x01").message, HasSubstr("61 62 63 01 (\"abc.\")"));
  EXPECT_EQ(error_of("GG").code, ErrorCode::malformed);
}

TEST_F(GgufCheck, OtherVersions) {
  EXPECT_EQ(error_of(header(1, 0, 0)).code, ErrorCode::unsupported);
  EXPECT_THAT(error_of(header(4, 0, 0)).message, HasSubstr("version 4"));
  EXPECT_EQ(error_of(header(4, 0, 0)).code, ErrorCode::unsupported);
  EXPECT_THAT(error_of(header(0x03000000, 0, 0)).message, HasSubstr("byte order"));
}

TEST_F(GgufCheck, TruncatedAnywhere) {
  const std::string whole = small_gguf();
  for (std::size_t length = 4; length < whole.size(); ++length) {
    const Error error = error_of(std::string_view(whole).substr(0, length));
    ASSERT_EQ(error.code, ErrorCode::corrupt) << length << ": " << error.message;
    ASSERT_THAT(error.hint, HasSubstr("download")) << length;
  }
  const Error error = error_of(std::string_view(whole).substr(0, whole.size() - 7));
  EXPECT_THAT(error.message, AllOf(HasSubstr("is truncated"), HasSubstr("7 bytes are missing"),
                                   HasSubstr(std::to_string(whole.size() - 7))));
}

TEST_F(GgufCheck, MalformedMetadata) {
  const std::string architecture = text_key("general.architecture", "llama");
  const std::array<std::pair<std::string, const char*>, 5> cases{{
      {header(3, 0, 2) + architecture + architecture, "duplicate key"},
      {header(3, 0, 1) + gguf_string("k") + bytes_of(std::int32_t{99}) + "xxxx",
       "invalid GGUF type"},
      {header(3, -1, 0), "number of tensors is -1"},
      {header(3, 0, -5), "number of key value pairs is -5"},
      {header(3, 2, 1) + architecture + tensor_info("w", 8, 0) + tensor_info("w", 8, 32),
       "duplicate tensor name"},
  }};
  for (const auto& [content, words] : cases) {
    const Error error = error_of(content + std::string(512, '\0'));
    EXPECT_EQ(error.code, ErrorCode::corrupt);
    EXPECT_THAT(error.message, AllOf(HasSubstr("malformed"), HasSubstr(words)));
  }
}

TEST_F(GgufCheck, HugeCountsNeedNoMemory) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  EXPECT_EQ(error_of(header(3, kHuge, 0)).code, ErrorCode::corrupt);
  EXPECT_EQ(error_of(header(3, 0, kHuge)).code, ErrorCode::corrupt);
  const std::string array = gguf_string("k") + bytes_of(std::int32_t{GGUF_TYPE_ARRAY}) +
                            bytes_of(std::int32_t{GGUF_TYPE_STRING}) + bytes_of(kHuge);
  EXPECT_EQ(error_of(header(3, 0, 1) + array).code, ErrorCode::corrupt);
  const std::string text =
      gguf_string("k") + bytes_of(std::int32_t{GGUF_TYPE_STRING}) + bytes_of(kHuge);
  EXPECT_EQ(error_of(header(3, 0, 1) + text).code, ErrorCode::corrupt);
}

TEST_F(GgufCheck, DamageIsNeverMoreThanAnError) {
  const std::string whole = small_gguf(short_key("split.count", 1), 1);
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string damaged = whole;
    for (auto edits = random() % 3 + 1; edits > 0; --edits) {
      damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
    }
    static_cast<void>(check_model(directory_.write("m.gguf", damaged)));
  }
}

TEST_F(GgufCheck, NoArchitectureOrNoWeights) {
  const Error nameless = error_of(header(3, 0, 1) + text_key("general.name", "x"));
  EXPECT_EQ(nameless.code, ErrorCode::corrupt);
  EXPECT_THAT(nameless.message, HasSubstr("general.architecture"));
  const Error weightless = error_at(testing::vocabulary_path("llama-spm"));
  EXPECT_EQ(weightless.code, ErrorCode::unsupported);
  EXPECT_THAT(weightless.message, HasSubstr("no weights"));
}

TEST_F(GgufCheck, SplitModels) {
  const auto first = directory_.write("m-00001-of-00003.gguf", part_of_model(0, 3, 3, "a"));
  directory_.write("m-00003-of-00003.gguf", part_of_model(2, 3, 3, "c"));
  const auto lacking = check_model(first);
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().code, ErrorCode::not_found);
  EXPECT_THAT(lacking.error().message, HasSubstr("m-00002-of-00003.gguf"));

  const std::string whole = part_of_model(1, 3, 3, "b");
  directory_.write("m-00002-of-00003.gguf", whole);
  const auto checked = check_model(first);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_THAT(checked->parts, SizeIs(3));
  EXPECT_EQ(checked->weight_bytes, 3 * 256U);

  directory_.write("m-00002-of-00003.gguf", whole.substr(0, whole.size() - 1));
  const auto cut = check_model(first);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, AllOf(HasSubstr("00002"), HasSubstr("truncated")));
}

TEST_F(GgufCheck, ALaterPartNamesTheFirst) {
  const auto first = directory_.path() / "my m-00001-of-00002.gguf";
  const auto later = directory_.write("my m-00002-of-00002.gguf", part_of_model(1, 2, 2, "b"));
  const Error lacking = error_at(later);
  EXPECT_EQ(lacking.code, ErrorCode::invalid_argument);
  EXPECT_THAT(lacking.message, HasSubstr("part 2 of 2"));
  EXPECT_THAT(lacking.hint, AllOf(HasSubstr("Download"), HasSubstr("'" + first.string() + "'")));

  directory_.write(first.filename().c_str(), part_of_model(0, 2, 2, "a"));
  EXPECT_THAT(error_at(later).hint, HasSubstr("Pass the first part: -m '" + first.string() + "'"));

  // Another name: the file itself says which part it is.
  const Error renamed = error_of(part_of_model(1, 2, 2, "b"), "second.gguf");
  EXPECT_EQ(renamed.code, ErrorCode::invalid_argument);
  EXPECT_THAT(renamed.hint, HasSubstr("Pass the first part: -m '" + first.string() + "'"));
}

TEST_F(GgufCheck, ALaterPartFindsAFirstOneOfAnotherName) {
  const auto first = directory_.write("first.gguf", part_of_model(0, 2, 2, "a"));
  directory_.write("other.gguf", part_of_model(0, 2, 77, "a"));
  const auto later = directory_.write("m-00002-of-00002.gguf", part_of_model(1, 2, 2, "b"));
  const std::string right = (directory_.path() / "m-00001-of-00002.gguf").string();
  EXPECT_THAT(error_at(later).hint,
              AllOf(HasSubstr("mv " + first.string() + " " + right), HasSubstr("-m " + right)));
}

TEST_F(GgufCheck, AFirstPartOfAnotherNameSaysHowToNameIt) {
  const auto path = directory_.write("renamed.gguf", part_of_model(0, 2, 2, "a"));
  const Error error = error_at(path);
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_THAT(error.hint, HasSubstr("mv " + path.string() + " " +
                                    (directory_.path() / "renamed-00001-of-00002.gguf").string()));
}

TEST_F(GgufCheck, PartsOfOtherModelsAreRefused) {
  const auto first = directory_.write("m-00001-of-00002.gguf", part_of_model(0, 2, 2, "a"));
  const std::array<std::pair<std::string, const char*>, 6> cases{{
      {small_gguf(), "not a part of a split model"},
      {part_of_model(0, 2, 2, "b"), "it says part 1 of 2"},
      {part_of_model(1, 3, 2, "b"), "it says part 2 of 3"},
      {part_of_model(1, 2, 5, "b"), "tensors in total"},
      {part_of_model(1, 2, 2, "a"), "both have the tensor a"},
      {part_of_model(9, 2, 2, "a"), "it says part 10 of 2"},
  }};
  for (const auto& [content, reason] : cases) {
    directory_.write("m-00002-of-00002.gguf", content);
    const auto checked = check_model(first);
    ASSERT_FALSE(checked) << reason;
    EXPECT_EQ(checked.error().code, ErrorCode::corrupt);
    EXPECT_THAT(checked.error().message,
                AllOf(HasSubstr("m-00002-of-00002.gguf"), HasSubstr(reason)));
  }
  directory_.write("m-00001-of-00002.gguf", part_of_model(0, 2, 3, "a"));
  directory_.write("m-00002-of-00002.gguf", part_of_model(1, 2, 3, "b"));
  const auto lacking = check_model(first);
  ASSERT_FALSE(lacking);
  EXPECT_THAT(lacking.error().message, HasSubstr("have 2 tensors together, the model has 3"));
}

TEST_F(GgufCheck, AFileIsOpenedByAnotherPathThanTheOneThatItGoesBy) {
  for (std::uint16_t number = 0; number < 3; ++number) {
    directory_.write("held-" + std::to_string(number + 1),
                     part_of_model(number, 3, 3, std::string(1, "abc"[number])));
  }
  const OpenAs held = [&](const std::filesystem::path& name) {
    return directory_.path() / ("held-" + name.string().substr(6, 1));
  };
  const auto checked = check_model("m-00001-of-00003.gguf", held);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_THAT(checked->parts, SizeIs(3));
  EXPECT_EQ(checked->parts[2], "m-00003-of-00003.gguf");
  directory_.write("held-2", "GGUF");
  const auto damaged = check_model("m-00001-of-00003.gguf", held);
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("m-00002-of-00003.gguf"));
  EXPECT_EQ(damaged.error().message.find("held"), std::string::npos);
}

TEST(FitsMemory, ComparesAndSaysBothSizes) {
  EXPECT_TRUE(check_fits_memory("The weights", 100, 100, ""));
  EXPECT_TRUE(check_fits_memory("The weights", 100, std::nullopt, ""));
  const auto tight = check_fits_memory("The weights", 8ULL << 30U, 2ULL << 30U, "Buy some.");
  ASSERT_FALSE(tight);
  EXPECT_EQ(tight.error().code, ErrorCode::too_large);
  EXPECT_THAT(tight.error().message, AllOf(HasSubstr("8.0 GiB"), HasSubstr("2.0 GiB")));
  EXPECT_EQ(tight.error().hint, "Buy some.");
}

}  // namespace
}  // namespace enprof
