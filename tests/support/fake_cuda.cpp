// A library that answers as CUDA's driver does, for one GPU: a kernel of so many rounds takes that
// many nanoseconds, and the fake NVML of ENPROF_NVML_LIBRARY shows its power meanwhile: 300 W, or
// ENPROF_FAKE_CUDA_WATTS.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <thread>

#define FAKE_API extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidValue = 1;
constexpr int kNotInitialized = 3;
constexpr int kInvalidPtx = 218;
constexpr double kIdleWatts = 70.0;

bool initialized = false;
int context_users = 0;
std::chrono::steady_clock::time_point ready;  // when the kernels that were launched are done

double busy_watts() {
  const char* const watts = std::getenv("ENPROF_FAKE_CUDA_WATTS");
  return watts == nullptr ? 300.0 : std::atof(watts);
}

/// Shows a power from now on.
void show(double watts) {
  const char* const path = std::getenv("ENPROF_NVML_LIBRARY");
  void* const nvml = path == nullptr ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (nvml == nullptr) {
    return;
  }
  if (auto* const set =
          reinterpret_cast<void (*)(unsigned, double)>(dlsym(nvml, "fake_nvml_set_watts"))) {
    set(0, watts);
  }
  dlclose(nvml);
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): the names are CUDA's

FAKE_API int cuInit(unsigned flags) {
  initialized = flags == 0;
  return initialized ? kSuccess : kInvalidValue;
}
FAKE_API int cuGetErrorString(int error, const char** text) {
  *text = error == kInvalidPtx ? "a PTX JIT compilation failed" : "invalid argument";
  return kSuccess;
}
FAKE_API int cuDeviceGet(int* device, int number) {
  if (!initialized) {
    return kNotInitialized;
  }
  *device = number;
  return number == 0 ? kSuccess : kInvalidValue;
}
FAKE_API int cuDeviceGetName(char* name, int size, int) {
  std::snprintf(name, static_cast<std::size_t>(size), "Fake GPU");
  return kSuccess;
}
FAKE_API int cuDeviceGetAttribute(int* value, int attribute, int) {
  constexpr int kMultiprocessors = 16;
  *value = 8;
  return attribute == kMultiprocessors ? kSuccess : kInvalidValue;
}
FAKE_API int cuDevicePrimaryCtxRetain(void** context, int) {
  ++context_users;
  *context = &context_users;
  return kSuccess;
}
FAKE_API int cuDevicePrimaryCtxRelease_v2(int) {
  --context_users;
  return kSuccess;
}
FAKE_API int cuCtxSetCurrent(void* context) {
  return context == &context_users ? kSuccess : kInvalidValue;
}
FAKE_API int cuModuleLoadData(void** module, const void* image) {
  const char* const text = static_cast<const char*>(image);
  // As a driver that no longer compiles for the oldest GPUs.
  if (std::strstr(text, ".target sm_75") == nullptr ||
      std::strstr(text, ".visible .entry burn(") == nullptr) {
    return kInvalidPtx;
  }
  *module = &ready;
  return kSuccess;
}
FAKE_API int cuModuleUnload(void*) { return kSuccess; }
FAKE_API int cuModuleGetFunction(void** function, void* module, const char* name) {
  *function = module;
  return module == &ready && std::strcmp(name, "burn") == 0 ? kSuccess : kInvalidValue;
}
FAKE_API int cuMemAlloc_v2(std::uint64_t* pointer, std::size_t) {
  *pointer = 4096;
  return kSuccess;
}
FAKE_API int cuMemFree_v2(std::uint64_t pointer) {
  return pointer == 4096 ? kSuccess : kInvalidValue;
}
FAKE_API int cuLaunchKernel(void* function, unsigned blocks, unsigned, unsigned, unsigned threads,
                            unsigned, unsigned, unsigned, void*, void** parameters, void**) {
  std::uint64_t out = 0;
  std::memcpy(&out, parameters[0], sizeof out);
  if (context_users < 1 || function != &ready || blocks == 0 || threads == 0 || out != 4096) {
    return kInvalidValue;
  }
  std::uint32_t rounds = 0;
  std::memcpy(&rounds, parameters[1], sizeof rounds);
  ready = std::chrono::steady_clock::now() + std::chrono::nanoseconds{rounds};
  show(busy_watts());
  return kSuccess;
}
FAKE_API int cuCtxSynchronize() {
  std::this_thread::sleep_until(ready);
  show(kIdleWatts);
  return kSuccess;
}

// NOLINTEND(readability-identifier-naming)
