// The test's side of the fake NVML; fake_nvml.cpp describes its traces.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "support/temp_dir.hpp"

#include <cstdint>
#include <dlfcn.h>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace enprof::testing {

/// Keeps the library loaded, plays a trace on it, and is its clock and the sleeper that advances
/// the clock.
class FakeNvml final : public Clock, public Sleeper {
 public:
  explicit FakeNvml(std::filesystem::path library = ENPROF_FAKE_NVML_LIBRARY)
      : library_(std::move(library)), handle_(dlopen(library_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) {
      throw std::runtime_error(std::string("cannot load the fake NVML: ") + dlerror());
    }
    load(load_, "fake_nvml_load");
    load(now_, "fake_nvml_now");
    load(advance_, "fake_nvml_advance");
    load(users_, "fake_nvml_users");
    play("");
  }
  FakeNvml(const FakeNvml&) = delete;
  FakeNvml& operator=(const FakeNvml&) = delete;
  ~FakeNvml() override { dlclose(handle_); }

  [[nodiscard]] const std::filesystem::path& library() const { return library_; }

  /// Starts a trace: its time zero is now.
  void play(std::string_view trace) {
    const std::int64_t now = now_() != 0 ? now_() : std::int64_t{3'600'000'000'000};
    load_(dir_.write("trace", trace).c_str(), now);
    begin_ = Instant{Nanoseconds{now}};
  }
  /// The same on the real clock, for a monitor's thread, which sleeps.
  void play_in_real_time(std::string_view trace) { load_(dir_.write("trace", trace).c_str(), 0); }
  [[nodiscard]] Instant begin() const { return begin_; }
  [[nodiscard]] Instant now() const noexcept override { return Instant{Nanoseconds{now_()}}; }
  void advance(Nanoseconds duration) const { advance_(duration.count()); }
  void sleep_until(Instant instant) const override {
    if (instant > now()) {
      advance(instant - now());
    }
  }
  /// The number of initializations without a shutdown.
  [[nodiscard]] int users() const { return users_(); }

 private:
  template <class Function>
  void load(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function == nullptr) {
      throw std::runtime_error(std::string("the fake NVML lacks ") + name);
    }
  }

  std::filesystem::path library_;
  void* handle_;
  TempDir dir_;
  Instant begin_;
  void (*load_)(const char*, std::int64_t) = nullptr;
  std::int64_t (*now_)() = nullptr;
  void (*advance_)(std::int64_t) = nullptr;
  int (*users_)() = nullptr;
};

}  // namespace enprof::testing
