#include "power/nvml/nvml_library.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <array>
#include <dlfcn.h>
#include <string_view>

namespace enprof {
namespace {

using nvml::Return;

constexpr Logger kLog{"power"};

constexpr const char* kNoLibraryHint =
    "It is part of NVIDIA's driver: install that (Debian: sudo apt install nvidia-driver), start a "
    "container with its GPUs (docker run --gpus all …), or say where the library is: "
    "ENPROF_NVML_LIBRARY=/path/to/libnvidia-ml.so.1";

template <class Function>
bool load(void* handle, const char* name, Function*& function) {
  // POSIX guarantees that dlsym's object pointer can hold a function pointer.
  function = reinterpret_cast<Function*>(dlsym(handle, name));  // NOLINT
  return function != nullptr;
}

/// Calls a function that may be missing.
template <class... Parameters, class... Arguments>
Return call(Return (*function)(Parameters...), Arguments... arguments) {
  return function == nullptr ? Return::function_not_found : function(arguments...);
}

template <class T>
NvmlLibrary::Answer<T> answer(Return result, T value) {
  if (result != Return::success) {
    return std::unexpected(result);
  }
  return value;
}

NvmlLibrary::Answer<std::string> text(Return (*function)(nvml::Device, char*, unsigned),
                                      nvml::Device device) {
  std::array<char, nvml::kTextSize> buffer{};
  const Return result = call(function, device, buffer.data(), unsigned{buffer.size()});
  buffer.back() = '\0';
  return answer(result, std::string(buffer.data()));
}

nvml::Functions load_all(void* handle) {
  nvml::Functions api;
  load(handle, "nvmlInit_v2", api.init);
  load(handle, "nvmlShutdown", api.shutdown);
  load(handle, "nvmlErrorString", api.error_string);
  load(handle, "nvmlSystemGetDriverVersion", api.driver_version);
  load(handle, "nvmlDeviceGetCount_v2", api.device_count);
  load(handle, "nvmlDeviceGetHandleByIndex_v2", api.device_by_index);
  load(handle, "nvmlDeviceGetHandleByUUID", api.device_by_uuid);
  load(handle, "nvmlDeviceGetUUID", api.uuid);
  load(handle, "nvmlDeviceGetName", api.name);
  load(handle, "nvmlDeviceGetArchitecture", api.architecture);
  load(handle, "nvmlDeviceGetCudaComputeCapability", api.compute_capability);
  load(handle, "nvmlDeviceGetTotalEnergyConsumption", api.total_energy);
  load(handle, "nvmlDeviceGetPowerUsage", api.power_usage);
  load(handle, "nvmlDeviceGetFieldValues", api.field_values);
  load(handle, "nvmlDeviceGetUtilizationRates", api.utilization);
  load(handle, "nvmlDeviceGetClockInfo", api.clock);
  load(handle, "nvmlDeviceGetTemperature", api.temperature);
  load(handle, "nvmlDeviceGetCurrentClocksThrottleReasons", api.throttle_reasons);
  load(handle, "nvmlDeviceGetPowerManagementLimit", api.power_limit);
  load(handle, "nvmlDeviceGetPowerManagementLimitConstraints", api.power_limit_range);
  load(handle, "nvmlDeviceSetPowerManagementLimit", api.set_power_limit);
  load(handle, "nvmlDeviceGetMigMode", api.mig_mode);
  load(handle, "nvmlDeviceGetMaxMigDeviceCount", api.mig_count);
  load(handle, "nvmlDeviceGetMigDeviceHandleByIndex", api.mig_by_index);
  return api;
}

ErrorCode code_of(Return result) {
  switch (result) {
    case Return::no_permission:
      return ErrorCode::permission_denied;
    case Return::not_supported:
    case Return::function_not_found:
      return ErrorCode::unsupported;
    case Return::not_found:
    case Return::library_not_found:
      return ErrorCode::not_found;
    case Return::success:
    case Return::uninitialized:
    case Return::invalid_argument:
    case Return::driver_not_loaded:
    case Return::timeout:
    case Return::gpu_is_lost:
    case Return::reset_required:
    case Return::operating_system:
    case Return::lib_rm_version_mismatch:
    case Return::unknown:
      break;
  }
  return ErrorCode::unavailable;
}

/// A hint for this result; empty if there is none.
std::string_view hint_for(Return result) {
  switch (result) {
    case Return::no_permission:
    case Return::operating_system:
      return "See who may use the GPU: ls -l /dev/nvidia*; often it is a group: sudo usermod -aG "
             "video $USER, then log in again. A container needs the devices: docker run --gpus all "
             "…";
    case Return::driver_not_loaded:
      return "Load the driver: sudo modprobe nvidia; the kernel says why it is not loaded: sudo "
             "dmesg | grep -i nvrm";
    case Return::lib_rm_version_mismatch:
      return "The driver was updated, but the kernel still runs the old one: restart the "
             "machine, "
             "or reload it: sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia; sudo modprobe "
             "nvidia";
    case Return::gpu_is_lost:
      return "The GPU fell off its bus: see sudo dmesg | grep -i xid, then restart the machine.";
    case Return::reset_required:
      return "Reset the GPU when no program uses it: sudo nvidia-smi --gpu-reset -i N";
    case Return::library_not_found:
      return kNoLibraryHint;
    case Return::success:
    case Return::uninitialized:
    case Return::invalid_argument:
    case Return::not_supported:
    case Return::not_found:
    case Return::timeout:
    case Return::function_not_found:
    case Return::unknown:
      break;
  }
  return "See what the driver says: nvidia-smi -q";
}

}  // namespace

Result<std::unique_ptr<NvmlLibrary>> NvmlLibrary::open(const std::filesystem::path& path) {
  // RTLD_LOCAL: only we use its symbols. RTLD_NOW: a library with missing symbols fails here.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const reason =
        dlerror();  // NOLINT(concurrency-mt-unsafe): the message is by thread
    const std::string_view said = reason != nullptr ? reason : "no reason given";
    const bool missing = said.find("No such file") != std::string_view::npos;
    return fail(missing ? ErrorCode::not_found : ErrorCode::unavailable,
                fmt::format("NVIDIA's management library cannot be loaded: {}", said),
                kNoLibraryHint);
  }
  const nvml::Functions api = load_all(handle);
  if (api.init == nullptr || api.shutdown == nullptr || api.device_count == nullptr ||
      api.device_by_index == nullptr) {
    dlclose(handle);
    return fail(ErrorCode::unavailable,
                fmt::format("{} is not a known NVML: it lacks nvmlInit_v2 or a similar function",
                            path.string()),
                kNoLibraryHint);
  }
  std::unique_ptr<NvmlLibrary> library(new NvmlLibrary(handle, api));
  if (const Return result = api.init(); result != Return::success) {
    Error error = library->error(result, "NVML cannot be used");
    library->functions_.shutdown = nullptr;  // nothing was initialized
    return std::unexpected(std::move(error));
  }
  return library;
}

NvmlLibrary::~NvmlLibrary() {
  if (functions_.shutdown != nullptr) {
    if (const Return result = functions_.shutdown(); result != Return::success) {
      kLog.debug("NVML stays loaded because it did not shut down: error {}",
                 static_cast<int>(result));
      return;
    }
  }
  dlclose(handle_);
}

std::string NvmlLibrary::driver_version() const {
  std::array<char, nvml::kTextSize> buffer{};
  const Return result = call(functions_.driver_version, buffer.data(), unsigned{buffer.size() - 1});
  return result == Return::success ? std::string(buffer.data()) : std::string();
}

NvmlLibrary::Answer<unsigned> NvmlLibrary::device_count() const {
  unsigned count = 0;
  const Return result = call(functions_.device_count, &count);
  return answer(result, count);
}

NvmlLibrary::Answer<nvml::Device> NvmlLibrary::device(unsigned index) const {
  nvml::Device device = nullptr;
  const Return result = call(functions_.device_by_index, index, &device);
  return answer(result, device);
}

NvmlLibrary::Answer<nvml::Device> NvmlLibrary::device(const std::string& uuid) const {
  nvml::Device device = nullptr;
  const Return result = call(functions_.device_by_uuid, uuid.c_str(), &device);
  return answer(result, device);
}

NvmlLibrary::Answer<std::string> NvmlLibrary::uuid(nvml::Device device) const {
  return text(functions_.uuid, device);
}

NvmlLibrary::Answer<std::string> NvmlLibrary::name(nvml::Device device) const {
  return text(functions_.name, device);
}

NvmlLibrary::Answer<unsigned> NvmlLibrary::architecture(nvml::Device device) const {
  unsigned architecture = nvml::kArchUnknown;
  const Return result = call(functions_.architecture, device, &architecture);
  return answer(result, architecture);
}

NvmlLibrary::Answer<std::pair<int, int>> NvmlLibrary::compute_capability(
    nvml::Device device) const {
  std::pair<int, int> version;
  const Return result =
      call(functions_.compute_capability, device, &version.first, &version.second);
  return answer(result, version);
}

NvmlLibrary::Answer<std::uint64_t> NvmlLibrary::total_energy_mj(nvml::Device device) const {
  unsigned long long energy = 0;
  const Return result = call(functions_.total_energy, device, &energy);
  return answer(result, std::uint64_t{energy});
}

NvmlLibrary::Answer<Watts> NvmlLibrary::power_usage(nvml::Device device) const {
  unsigned power = 0;
  const Return result = call(functions_.power_usage, device, &power);
  return answer(result, from_mw(power));
}

NvmlLibrary::Answer<Watts> NvmlLibrary::power_field(nvml::Device device, unsigned field,
                                                    unsigned scope) const {
  nvml::FieldValue value;
  value.field = field;
  value.scope = scope;
  const Return result = call(functions_.field_values, device, 1, &value);
  if (result != Return::success) {
    return std::unexpected(result);
  }
  if (value.result != Return::success) {  // the call succeeds if any of its fields succeeds
    return std::unexpected(value.result);
  }
  switch (value.value_type) {
    case nvml::kTypeUnsigned:
      return from_mw(value.as_unsigned);
    case nvml::kTypeUnsignedLong:
      return from_mw(static_cast<double>(value.as_unsigned_long));
    case nvml::kTypeUnsignedLongLong:
      return from_mw(static_cast<double>(value.as_unsigned_long_long));
    default:
      return std::unexpected(Return::unknown);
  }
}

NvmlLibrary::Answer<nvml::Utilization> NvmlLibrary::utilization(nvml::Device device) const {
  nvml::Utilization utilization;
  const Return result = call(functions_.utilization, device, &utilization);
  return answer(result, utilization);
}

NvmlLibrary::Answer<unsigned> NvmlLibrary::clock_mhz(nvml::Device device, unsigned clock) const {
  unsigned mhz = 0;
  const Return result = call(functions_.clock, device, clock, &mhz);
  return answer(result, mhz);
}

NvmlLibrary::Answer<unsigned> NvmlLibrary::temperature(nvml::Device device) const {
  unsigned celsius = 0;
  const Return result = call(functions_.temperature, device, nvml::kTemperatureGpu, &celsius);
  return answer(result, celsius);
}

NvmlLibrary::Answer<std::uint64_t> NvmlLibrary::throttle_reasons(nvml::Device device) const {
  unsigned long long reasons = 0;
  const Return result = call(functions_.throttle_reasons, device, &reasons);
  return answer(result, std::uint64_t{reasons});
}

NvmlLibrary::Answer<unsigned> NvmlLibrary::power_limit_mw(nvml::Device device) const {
  unsigned limit = 0;
  const Return result = call(functions_.power_limit, device, &limit);
  return answer(result, limit);
}

NvmlLibrary::Answer<std::pair<unsigned, unsigned>> NvmlLibrary::power_limit_range_mw(
    nvml::Device device) const {
  std::pair<unsigned, unsigned> range;
  const Return result = call(functions_.power_limit_range, device, &range.first, &range.second);
  return answer(result, range);
}

NvmlLibrary::Answer<void> NvmlLibrary::set_power_limit(nvml::Device device,
                                                       unsigned milliwatts) const {
  const Return result = call(functions_.set_power_limit, device, milliwatts);
  return result == Return::success ? Answer<void>{} : std::unexpected(result);
}

bool NvmlLibrary::is_split(nvml::Device device) const {
  unsigned current = 0;
  unsigned pending = 0;
  return call(functions_.mig_mode, device, &current, &pending) == Return::success &&
         current == nvml::kMigEnabled;
}

unsigned NvmlLibrary::mig_slots(nvml::Device device) const {
  unsigned count = 0;
  return call(functions_.mig_count, device, &count) == Return::success ? count : 0;
}

NvmlLibrary::Answer<nvml::Device> NvmlLibrary::mig_instance(nvml::Device device,
                                                            unsigned slot) const {
  nvml::Device instance = nullptr;
  const Return result = call(functions_.mig_by_index, device, slot, &instance);
  return answer(result, instance);
}

std::string NvmlLibrary::describe(nvml::Return result) const {
  if (result == Return::function_not_found) {
    return "this version of NVML has no such function";
  }
  const char* const said =
      functions_.error_string != nullptr ? functions_.error_string(result) : nullptr;
  return fmt::format("{} (NVML error {})", said != nullptr ? said : "failed",
                     static_cast<int>(result));
}

Error NvmlLibrary::error(nvml::Return result, const std::string& tried) const {
  return {.code = code_of(result),
          .message = fmt::format("{}: {}", tried, describe(result)),
          .hint = std::string(hint_for(result))};
}

}  // namespace enprof
