#include "cuda_driver.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <utility>

namespace enprof::hardware {
namespace {

constexpr int kSuccess = 0;
constexpr int kMultiprocessors = 16;  // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
constexpr unsigned kBlocksPerMultiprocessor = 4;
constexpr unsigned kThreads = 256;

/// Four chains of multiply-adds, so that no thread waits for its last result. The driver compiles
/// it for its GPU. Each target is the least that it may be compiled for: drivers of today refuse to
/// compile for the oldest GPUs, and old drivers do not know the newest.
constexpr const char* kKernel = R"(
.version {}
.target {}
.address_size 64

.visible .entry burn(.param .u64 burn_out, .param .u32 burn_rounds)
{{
  .reg .pred %p<2>;
  .reg .f32 %f<10>;
  .reg .b32 %r<4>;
  .reg .b64 %rd<3>;

  ld.param.u64 %rd1, [burn_out];
  ld.param.u32 %r1, [burn_rounds];
  cvta.to.global.u64 %rd2, %rd1;
  mov.u32 %r2, %tid.x;
  cvt.rn.f32.u32 %f1, %r2;
  add.f32 %f2, %f1, 0f3F800000;
  add.f32 %f3, %f1, 0f40000000;
  add.f32 %f4, %f1, 0f40400000;
  mov.f32 %f5, 0f3F7FFFFE;
  mov.f32 %f6, 0f33800000;
  mov.u32 %r3, 0;
again:
  fma.rn.f32 %f1, %f1, %f5, %f6;
  fma.rn.f32 %f2, %f2, %f5, %f6;
  fma.rn.f32 %f3, %f3, %f5, %f6;
  fma.rn.f32 %f4, %f4, %f5, %f6;
  fma.rn.f32 %f1, %f1, %f5, %f6;
  fma.rn.f32 %f2, %f2, %f5, %f6;
  fma.rn.f32 %f3, %f3, %f5, %f6;
  fma.rn.f32 %f4, %f4, %f5, %f6;
  add.u32 %r3, %r3, 1;
  setp.lt.u32 %p1, %r3, %r1;
  @%p1 bra again;
  add.f32 %f7, %f1, %f2;
  add.f32 %f8, %f3, %f4;
  add.f32 %f9, %f7, %f8;
  st.global.f32 [%rd2], %f9;
  ret;
}}
)";
constexpr std::array<std::pair<const char*, const char*>, 2> kTargets{
    {{"6.0", "sm_50"}, {"6.3", "sm_75"}}};

}  // namespace

struct CudaDriver::Functions {
  int (*init)(unsigned) = nullptr;
  int (*error_string)(int, const char**) = nullptr;
  int (*device_get)(int*, int) = nullptr;
  int (*device_name)(char*, int, int) = nullptr;
  int (*device_attribute)(int*, int, int) = nullptr;
  int (*retain_context)(void**, int) = nullptr;
  int (*release_context)(int) = nullptr;
  int (*set_context)(void*) = nullptr;
  int (*synchronize)() = nullptr;
  int (*load_module)(void**, const void*) = nullptr;
  int (*unload_module)(void*) = nullptr;
  int (*get_function)(void**, void*, const char*) = nullptr;
  int (*allocate)(std::uint64_t*, std::size_t) = nullptr;
  int (*release)(std::uint64_t) = nullptr;
  int (*launch)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                void**, void**) = nullptr;
};

CudaDriver::CudaDriver(std::unique_ptr<Functions> functions) : functions_(std::move(functions)) {}

CudaDriver::~CudaDriver() {
  // The process ends soon: an error here changes nothing.
  if (memory_ != 0) {
    static_cast<void>(functions_->release(memory_));
  }
  if (module_ != nullptr) {
    static_cast<void>(functions_->unload_module(module_));
  }
  if (has_context_) {
    static_cast<void>(functions_->release_context(device_));
  }
  // The driver stays loaded: it has threads of its own.
}

Result<std::unique_ptr<CudaDriver>> CudaDriver::open(const std::filesystem::path& library,
                                                     int device) {
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1);
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return fail(ErrorCode::not_found, fmt::format("There is no CUDA driver: {}", ::dlerror()));
  }
  auto functions = std::make_unique<Functions>();
  std::string missing;
  const auto load = [&]<class Function>(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(::dlsym(handle, name));  // NOLINT: as POSIX says
    if (function == nullptr) {
      missing += fmt::format(" {}", name);
    }
  };
  load(functions->init, "cuInit");
  load(functions->error_string, "cuGetErrorString");
  load(functions->device_get, "cuDeviceGet");
  load(functions->device_name, "cuDeviceGetName");
  load(functions->device_attribute, "cuDeviceGetAttribute");
  load(functions->retain_context, "cuDevicePrimaryCtxRetain");
  load(functions->release_context, "cuDevicePrimaryCtxRelease_v2");
  load(functions->set_context, "cuCtxSetCurrent");
  load(functions->synchronize, "cuCtxSynchronize");
  load(functions->load_module, "cuModuleLoadData");
  load(functions->unload_module, "cuModuleUnload");
  load(functions->get_function, "cuModuleGetFunction");
  load(functions->allocate, "cuMemAlloc_v2");
  load(functions->release, "cuMemFree_v2");
  load(functions->launch, "cuLaunchKernel");
  if (!missing.empty()) {
    ::dlclose(handle);
    return fail(ErrorCode::unavailable, fmt::format("{} lacks{}", library.string(), missing));
  }
  std::unique_ptr<CudaDriver> driver(new CudaDriver(std::move(functions)));
  if (auto ready = driver->set_up(device); !ready) {
    return std::unexpected(std::move(ready.error()));
  }
  return driver;
}

Result<void> CudaDriver::check(int result, const char* tried) const {
  if (result == kSuccess) {
    return {};
  }
  const char* text = nullptr;
  if (functions_->error_string(result, &text) != kSuccess || text == nullptr) {
    text = "unknown error";
  }
  return fail(ErrorCode::unavailable,
              fmt::format("{} failed: {} (CUDA error {})", tried, text, result));
}

Result<void> CudaDriver::set_up(int device) {
  if (auto done = check(functions_->init(0), "cuInit"); !done) {
    return done;
  }
  if (auto done = check(functions_->device_get(&device_, device), "cuDeviceGet"); !done) {
    return done;
  }
  std::array<char, 256> name{};
  if (functions_->device_name(name.data(), static_cast<int>(name.size()), device_) == kSuccess) {
    name_ = name.data();
  }
  int multiprocessors = 0;
  if (auto done = check(functions_->device_attribute(&multiprocessors, kMultiprocessors, device_),
                        "cuDeviceGetAttribute");
      !done) {
    return done;
  }
  blocks_ = static_cast<unsigned>(multiprocessors) * kBlocksPerMultiprocessor;
  void* context = nullptr;
  if (auto done = check(functions_->retain_context(&context, device_), "cuDevicePrimaryCtxRetain");
      !done) {
    return done;
  }
  has_context_ = true;
  if (auto done = check(functions_->set_context(context), "cuCtxSetCurrent"); !done) {
    return done;
  }
  if (auto done = load_kernel(); !done) {
    return done;
  }
  return check(functions_->allocate(&memory_, sizeof(float)), "cuMemAlloc");
}

Result<void> CudaDriver::load_kernel() {
  Result<void> loaded;
  for (const auto& [version, target] : kTargets) {
    const std::string text = fmt::format(fmt::runtime(kKernel), version, target);
    loaded = check(functions_->load_module(&module_, text.c_str()), "cuModuleLoadData");
    if (loaded) {
      return check(functions_->get_function(&kernel_, module_, "burn"), "cuModuleGetFunction");
    }
  }
  return loaded;
}

Result<void> CudaDriver::compute(std::uint32_t rounds) {
  std::array<void*, 2> parameters{&memory_, &rounds};
  if (auto launched = check(functions_->launch(kernel_, blocks_, 1, 1, kThreads, 1, 1, 0, nullptr,
                                               parameters.data(), nullptr),
                            "cuLaunchKernel");
      !launched) {
    return launched;
  }
  return check(functions_->synchronize(), "cuCtxSynchronize");
}

}  // namespace enprof::hardware
