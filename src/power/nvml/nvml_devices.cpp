#include "power/nvml/nvml_devices.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

using nvml::Return;

constexpr Logger kLog{"power"};

template <class T>
using Answer = NvmlLibrary::Answer<T>;

/// A call may fail once and succeed the next time.
constexpr int kTries = 3;

bool is_passing(Return result) { return result == Return::timeout || result == Return::unknown; }

template <class Call>
auto try_patiently(Call call) {
  auto answer = call();
  for (int tries = 1; tries < kTries && !answer && is_passing(answer.error()); ++tries) {
    answer = call();
  }
  return answer;
}

/// nvmlDeviceGetPowerUsage: "On Ampere (except GA100) or newer GPUs, the API returns power averaged
/// over 1 sec interval. On GA100 and older architectures, instantaneous power is returned." (NVML
/// API reference). GA100 is the Ampere with compute capability 8.0. A library without a function
/// for architectures is too old for GPUs newer than Turing.
bool usage_is_mean(const NvmlLibrary& library, nvml::Device device) {
  const auto architecture = library.architecture(device);
  if (!architecture) {
    return architecture.error() != Return::function_not_found;
  }
  if (*architecture != nvml::kArchAmpere) {
    return *architecture > nvml::kArchAmpere;
  }
  const auto capability = library.compute_capability(device);
  return !capability || *capability != std::pair{8, 0};
}

enum class Counter : bool { left_out, allowed };

/// The best way to read a device in GPU scope. A value of zero does not count: a board always draws
/// power, and some boards report zero because they have no sensor.
Answer<NvmlWay> choose_way(const NvmlLibrary& library, nvml::Device device, Counter counter) {
  Return failure = Return::not_supported;
  const auto keep_failure = [&](Return result) {
    if (failure == Return::not_supported && result != Return::function_not_found) {
      failure = result;
    }
  };
  if (counter == Counter::allowed) {
    const auto energy = try_patiently([&] { return library.total_energy_mj(device); });
    if (energy && *energy > 0) {
      return NvmlWay::energy_counter;
    }
    keep_failure(energy ? Return::not_supported : energy.error());
  }
  const bool mean = usage_is_mean(library, device);
  for (const NvmlWay way :
       {NvmlWay::instant_field, mean ? NvmlWay::average_usage : NvmlWay::instant_usage,
        NvmlWay::average_field}) {
    const auto power = try_patiently([&] {
      return read_nvml_power(library, {.domain = {}, .device = device, .way = way, .label = {}});
    });
    if (power && *power > Watts{0}) {
      return way;
    }
    keep_failure(power ? Return::not_supported : power.error());
  }
  return std::unexpected(failure);
}

/// Whether two handles lead to the same sensor: the second one's value is the first one's just
/// before or just after.
bool is_same_sensor(const NvmlLibrary& library, const NvmlChannel& one, const NvmlChannel& other) {
  if (one.way != other.way) {
    return false;
  }
  if (one.way == NvmlWay::energy_counter) {
    const auto before = library.total_energy_mj(one.device);
    const auto value = library.total_energy_mj(other.device);
    const auto after = library.total_energy_mj(one.device);
    return before && value && after && *before <= *value && *value <= *after;
  }
  const auto before = read_nvml_power(library, one);
  const auto value = read_nvml_power(library, other);
  const auto after = read_nvml_power(library, one);
  return before && value && after && (*value == *before || *value == *after);
}

class Finder {
 public:
  explicit Finder(const NvmlLibrary& library) : library_(library) {}

  Result<NvmlDevices> find() {
    const auto count = library_.device_count();
    if (!count) {
      return std::unexpected(library_.error(count.error(), "NVML cannot count the GPUs"));
    }
    found_.count = *count;
    for (unsigned index = 0; index < *count; ++index) {
      find_modules(index);
    }
    for (unsigned index = 0; index < *count; ++index) {
      add_gpu(index);
    }
    if (!found_.channels.empty()) {
      return std::move(found_);
    }
    if (failure_) {
      return std::unexpected(std::move(*failure_));
    }
    return fail(
        ErrorCode::not_found, "NVML finds no GPU on this machine",
        "See which GPUs the driver finds: nvidia-smi -L. A container must be given them: docker "
        "run --gpus all …");
  }

 private:
  /// Counts the GPUs that are on a module.
  void find_modules(unsigned index) {
    const auto device = library_.device(index);
    if (device && has_module(*device)) {
      ++on_modules_;
      const auto architecture = library_.architecture(*device);
      all_hopper_ = all_hopper_ && architecture && *architecture == nvml::kArchHopper;
    }
  }

  /// A driver without scopes returns the GPU's power for the module's.
  [[nodiscard]] bool has_module(nvml::Device device) const {
    const auto power_in = [&](unsigned scope) {
      return library_.power_field(device, nvml::kFieldPowerInstant, scope);
    };
    const auto before = power_in(nvml::kScopeGpu);
    const auto module = power_in(nvml::kScopeModule);
    const auto after = power_in(nvml::kScopeGpu);
    return module && *module > Watts{0} && module != before && module != after;
  }

  void add_gpu(unsigned index) {
    const std::string name = fmt::format("gpu-{}", index);
    const auto device = try_patiently([&] { return library_.device(index); });
    if (!device) {
      leave_out(name, device.error());
      return;
    }
    NvmlChannel gpu{.domain = domain_from_name(name), .device = *device, .label = {}};
    gpu.domain.device = library_.uuid(*device).value_or("");
    gpu.label = library_.name(*device).value_or("NVIDIA GPU");
    if (has_module(*device)) {
      add_module(gpu, index);
      return;
    }
    gpu.domain.scope = DomainScope::board;
    const auto way = choose_way(library_, *device, Counter::allowed);
    if (way) {
      gpu.way = *way;
    }
    gpu.label += ", whole board";
    if (library_.is_split(*device)) {
      add_split(std::move(gpu), way, index);
    } else if (way) {
      add(std::move(gpu));
    } else {
      leave_out(name, way.error());
    }
  }

  void add_module(NvmlChannel gpu, unsigned index) {
    gpu.domain.scope = DomainScope::device;
    if (on_modules_ == 1 || all_hopper_) {
      NvmlChannel module{.domain = domain_from_name(fmt::format("module-{}", index)),
                         .device = gpu.device,
                         .way = NvmlWay::instant_field,
                         .scope = nvml::kScopeModule,
                         .label = gpu.label + " with its CPU and memory"};
      module.domain.scope = DomainScope::module;
      module.domain.device = gpu.domain.device;
      const auto energy = library_.total_energy_mj(gpu.device);
      if (energy && *energy > 0) {
        module.way = NvmlWay::energy_counter;
      }
      found_.channels.push_back(std::move(module));
    } else {
      found_.notes.push_back(
          fmt::format("the module that gpu-{} is on is left out: it may hold other GPUs", index));
    }
    const auto way = choose_way(library_, gpu.device, Counter::left_out);
    if (!way) {
      leave_out(gpu.domain.name, way.error());
      return;
    }
    gpu.way = *way;
    gpu.label += ", without the rest of its module";
    add(std::move(gpu));
  }

  void add_split(NvmlChannel gpu, const Answer<NvmlWay>& way, unsigned index) {
    std::vector<std::string> names;
    std::vector<NvmlChannel> readable;
    const unsigned slots = library_.mig_slots(gpu.device);
    for (unsigned slot = 0; slot < slots; ++slot) {
      const auto device = library_.mig_instance(gpu.device, slot);
      if (!device) {
        continue;  // this slot is not in use
      }
      NvmlChannel instance{.domain = domain_from_name(fmt::format("mig-{}-{}", index, slot)),
                           .device = *device,
                           .label = library_.name(*device).value_or("MIG instance")};
      instance.domain.scope = DomainScope::slice;
      instance.domain.device = library_.uuid(*device).value_or("");
      names.push_back(instance.domain.device);
      if (const auto own = choose_way(library_, *device, Counter::allowed)) {
        instance.way = *own;
        readable.push_back(std::move(instance));
      }
    }
    const std::string shared =
        fmt::format("{} MIG instances: {}", names.size(), fmt::join(names, ", "));
    gpu.label += fmt::format(", with its {}", shared);
    if (way) {
      std::erase_if(readable, [&](const NvmlChannel& instance) {
        return is_same_sensor(library_, gpu, instance);
      });
      add(std::move(gpu));
      std::ranges::move(readable, std::back_inserter(found_.channels));
      return;
    }
    if (readable.empty()) {
      leave_out(gpu.domain.name, way.error());
      return;
    }
    // If all values are equal, or there is only one, they are those of the whole GPU.
    const bool all_same =
        std::all_of(readable.begin() + 1, readable.end(), [&](const NvmlChannel& instance) {
          return is_same_sensor(library_, readable.front(), instance);
        });
    if (!all_same) {
      std::ranges::move(readable, std::back_inserter(found_.channels));
      return;
    }
    gpu.device = readable.front().device;
    gpu.way = readable.front().way;
    gpu.label += fmt::format("; read through {}", readable.front().domain.device);
    add(std::move(gpu));
  }

  void add(NvmlChannel gpu) {
    found_.gpus.push_back(
        {.device = gpu.device, .uuid = gpu.domain.device, .channel = found_.channels.size()});
    found_.channels.push_back(std::move(gpu));
  }

  void leave_out(const std::string& name, Return result) {
    Error error = library_.error(result, fmt::format("{} cannot be measured", name));
    kLog.warning("{}. {}", error.message, error.hint);
    found_.notes.push_back(error.message);
    found_.faults.push_back({.code = "sensor_left_out", .error = error});
    failure_ = failure_.value_or(std::move(error));
  }

  const NvmlLibrary& library_;
  NvmlDevices found_;
  std::optional<Error> failure_;
  unsigned on_modules_ = 0;
  bool all_hopper_ = true;
};

}  // namespace

bool is_mean(NvmlWay way) { return way == NvmlWay::average_usage || way == NvmlWay::average_field; }

Result<NvmlDevices> find_nvml_devices(const NvmlLibrary& library) { return Finder(library).find(); }

std::optional<NvmlWay> find_power_way(const NvmlLibrary& library, const NvmlChannel& channel) {
  if (channel.scope == nvml::kScopeModule) {
    const auto power = library.power_field(channel.device, nvml::kFieldPowerInstant, channel.scope);
    return power && *power > Watts{0} ? std::optional{NvmlWay::instant_field} : std::nullopt;
  }
  const auto way = choose_way(library, channel.device, Counter::left_out);
  return way ? std::optional{*way} : std::nullopt;
}

NvmlLibrary::Answer<Watts> read_nvml_power(const NvmlLibrary& library, const NvmlChannel& channel) {
  switch (channel.way) {
    case NvmlWay::instant_field:
      return library.power_field(channel.device, nvml::kFieldPowerInstant, channel.scope);
    case NvmlWay::average_field:
      return library.power_field(channel.device, nvml::kFieldPowerAverage, channel.scope);
    case NvmlWay::instant_usage:
    case NvmlWay::average_usage:
      return library.power_usage(channel.device);
    case NvmlWay::energy_counter:
      break;
  }
  return std::unexpected(Return::not_supported);
}

}  // namespace enprof
