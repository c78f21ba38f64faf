#include "power/nvml/nvml_library.hpp"

#include "support/fake_nvml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using testing::FakeNvml;
using ::testing::HasSubstr;

TEST(NvmlLibrary, IsInitializedWhileItLives) {
  FakeNvml fake;
  fake.play("gpu 0 name=NVIDIA_A100 uuid=GPU-a\nat 0 gpu 0 watts 100\n");
  {
    const auto library = NvmlLibrary::open(fake.library());
    ASSERT_TRUE(library) << library.error().message;
    EXPECT_EQ(fake.users(), 1);
    const auto second = NvmlLibrary::open(fake.library());
    ASSERT_TRUE(second);
    EXPECT_EQ(fake.users(), 2) << "other users keep it initialized";

    EXPECT_EQ((*library)->driver_version(), "550.54.15");
    ASSERT_EQ((*library)->device_count(), 1U);
    const auto device = (*library)->device(0);
    ASSERT_TRUE(device);
    EXPECT_EQ((*library)->name(*device), "NVIDIA A100");
    EXPECT_EQ((*library)->uuid(*device), "GPU-a");
    EXPECT_EQ((*library)->device("GPU-a"), *device);
    EXPECT_EQ((*library)->power_usage(*device), Watts{100});
    EXPECT_EQ((*library)->power_field(*device, nvml::kFieldPowerInstant, nvml::kScopeGpu),
              Watts{100});
    EXPECT_EQ(
        (*library)->power_field(*device, nvml::kFieldPowerInstant, nvml::kScopeModule).error(),
        nvml::Return::not_supported);
  }
  EXPECT_EQ(fake.users(), 0);
}

TEST(NvmlLibrary, AMissingLibraryIsNotFound) {
  const auto library = NvmlLibrary::open("/nowhere/libnvidia-ml.so.1");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, ErrorCode::not_found);
  EXPECT_THAT(library.error().message, HasSubstr("/nowhere/libnvidia-ml.so.1"));
  EXPECT_THAT(library.error().hint, HasSubstr("ENPROF_NVML_LIBRARY"));
}

TEST(NvmlLibrary, AFileThatIsNoLibraryIsNone) {
  const testing::TempDir dir;
  const auto path = dir.write("libnvidia-ml.so.1", "not a library");
  const auto library = NvmlLibrary::open(path);
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, ErrorCode::unavailable);
  EXPECT_THAT(library.error().message, HasSubstr(path.string()));
}

TEST(NvmlLibrary, ALibraryOfSomethingElseIsNone) {
  const auto library = NvmlLibrary::open("libm.so.6");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, ErrorCode::unavailable);
  EXPECT_THAT(library.error().message, HasSubstr("nvmlInit_v2"));
}

TEST(NvmlLibrary, ADriverThatDoesNotFitSaysWhatToDo) {
  struct Case {
    int code;
    ErrorCode expected;
    const char* message;
    const char* hint;
  };
  FakeNvml fake;
  for (const Case& c : {Case{18, ErrorCode::unavailable, "version mismatch", "modprobe nvidia"},
                        Case{9, ErrorCode::unavailable, "Driver Not Loaded", "modprobe nvidia"},
                        Case{4, ErrorCode::permission_denied, "Permissions", "/dev/nvidia"},
                        Case{999, ErrorCode::unavailable, "999", "nvidia-smi"}}) {
    fake.play("init " + std::to_string(c.code));
    const auto library = NvmlLibrary::open(fake.library());
    ASSERT_FALSE(library);
    EXPECT_EQ(library.error().code, c.expected) << c.code;
    EXPECT_THAT(library.error().message, HasSubstr(c.message));
    EXPECT_THAT(library.error().hint, HasSubstr(c.hint));
    EXPECT_EQ(fake.users(), 0);
  }
}

TEST(NvmlLibrary, AFunctionThatAnOldLibraryLacksIsSaidSo) {
  FakeNvml fake(ENPROF_FAKE_NVML_OLD_LIBRARY);
  fake.play("gpu 0\nat 0 gpu 0 watts 100\n");
  const auto library = NvmlLibrary::open(fake.library());
  ASSERT_TRUE(library) << library.error().message;
  const auto device = (*library)->device(0);
  ASSERT_TRUE(device);
  EXPECT_EQ((*library)->total_energy_mj(*device).error(), nvml::Return::function_not_found);
  EXPECT_EQ((*library)->power_field(*device, nvml::kFieldPowerInstant, 0).error(),
            nvml::Return::function_not_found);
  EXPECT_FALSE((*library)->is_split(*device));
  EXPECT_EQ((*library)->power_usage(*device), Watts{100});
}

TEST(NvmlLibrary, AShutdownThatFailsHarmsNobody) {
  FakeNvml fake;
  fake.play("gpu 0\nat 0 gpu 0 watts 100\nat 0 shutdown 999\n");
  {
    ASSERT_TRUE(NvmlLibrary::open(fake.library()));
  }
  fake.play("gpu 0\nat 0 gpu 0 watts 100\n");
  EXPECT_TRUE(NvmlLibrary::open(fake.library()));
}

}  // namespace
}  // namespace enprof
