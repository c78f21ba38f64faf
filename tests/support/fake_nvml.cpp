// A library that answers as NVML does, from a trace file. Built as a shared object of its own.
//
// The trace (fake_nvml_load, or the variable ENPROF_FAKE_NVML) is lines of words; # begins a
// comment. It begins with the devices:
//
//   init 18                                   nvmlInit_v2 fails with this code; the variable's
//                                             file is read again at the next call
//   call_us 100                               each reading of energy or power takes this long
//   gpu 0 uuid=GPU-a name=NVIDIA_A100 arch=7 cc=8.0 counter=100 fields=1 usage=1 update=100
//
// counter: ms between steps of the energy counter, 0: no counter. fields, usage: whether
// nvmlDeviceGetFieldValues and nvmlDeviceGetPowerUsage give its power. update: ms between updates
// of power values. scopes=0: fields ignore the scope and give the GPU's power. module=1: it has a
// module scope, and its counter counts the module. denied=1: its sensors need rights. mig=2: it is
// split into this many instances; mig_power=parent|own|none: what an instance's handle returns.
//
// Then the events, with times in ms from the first nvmlInit_v2, or from fake_nvml_load:
//
//   at 0 gpu 0 watts 100          at 500 gpu 0 ramp 300      (straight from the last point to here)
//   at 0 gpu 0 module_watts 400   at 0 gpu 0 mig_watts 1 30  (instance 1)
//   at 500 gpu 0 error 15         all readings fail with this code, until error 0
//   at 500 gpu 0 reset            the counter starts again at zero
//   at 500 gpu 0 frozen 1         values are not updated, until frozen 0
//   at 500 gpu 0 zero 1           readings succeed and return 0, until zero 0
//   at 500 gpu 0 util 80 40 · clocks 1410 1215 · temperature 55 · throttle 4
//   at 500 count 3                nvmlDeviceGetCount_v2 returns this
//   at 500 shutdown 999           nvmlShutdown fails with this code
//
// Power limits may be set if ENPROF_FAKE_NVML_LIMITS names a directory to keep them in; else that
// needs rights.
//
// FAKE_NVML_OLD leaves out functions that old NVMLs lack: energy, fields, MIG, UUID handles.

#include "power/nvml/nvml_api.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#define FAKE_API extern "C" __attribute__((visibility("default")))

namespace {

using enprof::nvml::FieldValue;
using enprof::nvml::Return;
using enprof::nvml::Utilization;

/// Power over time: constant from a point on, or linear to the next point if that is a ramp.
class Curve {
 public:
  void add(double ms, double watts, bool ramp) {
    if (points_.empty()) {
      points_.push_back({0, watts, false});
    }
    points_.push_back({ms, watts, ramp});
  }
  [[nodiscard]] double watts(double ms) const {
    double now = points_.empty() ? 0 : points_.front().watts;
    for (std::size_t index = 0; index < points_.size(); ++index) {
      const Point& point = points_[index];
      if (point.ms <= ms) {
        now = point.watts;
      } else if (point.ramp && index > 0 && points_[index - 1].ms <= ms) {
        const Point& before = points_[index - 1];
        now =
            before.watts + (point.watts - before.watts) * (ms - before.ms) / (point.ms - before.ms);
      }
    }
    return now;
  }
  /// Energy from time zero on; earlier power was that at time zero.
  [[nodiscard]] double joules(double ms) const {
    if (points_.empty()) {
      return 0;
    }
    if (ms <= 0) {
      return points_.front().watts * ms / 1e3;
    }
    double sum = 0;
    for (std::size_t index = 0; index < points_.size() && points_[index].ms < ms; ++index) {
      const double from = points_[index].ms;
      const double to = index + 1 < points_.size() ? std::min(points_[index + 1].ms, ms) : ms;
      sum += level(index, (from + to) / 2) * (to - from) / 1e3;
    }
    return sum;
  }

 private:
  struct Point {
    double ms;
    double watts;
    bool ramp;
  };
  /// Power at a time between this point and the next.
  [[nodiscard]] double level(std::size_t index, double ms) const {
    const Point& point = points_[index];
    if (index + 1 == points_.size() || !points_[index + 1].ramp) {
      return point.watts;
    }
    const Point& next = points_[index + 1];
    return point.watts + (next.watts - point.watts) * (ms - point.ms) / (next.ms - point.ms);
  }
  std::vector<Point> points_;
};

/// A value that changes at given times.
template <class T>
class Steps {
 public:
  explicit Steps(T first) : first_(first) {}
  void add(double ms, T value) { at_[ms] = value; }
  [[nodiscard]] T get(double ms) const {
    const auto next = at_.upper_bound(ms);
    return next == at_.begin() ? first_ : std::prev(next)->second;
  }
  /// When the value at that time began.
  [[nodiscard]] double since(double ms) const {
    const auto next = at_.upper_bound(ms);
    return next == at_.begin() ? 0 : std::prev(next)->first;
  }

 private:
  T first_;
  std::map<double, T> at_;
};

struct Gpu {
  std::string uuid = "GPU-0";
  std::string name = "Fake GPU";
  unsigned arch = enprof::nvml::kArchAmpere;
  int major = 8;
  int minor = 0;
  double counter_ms = 100;
  double update_ms = 100;
  bool fields = true;
  bool usage = true;
  bool module = false;
  bool scopes = true;
  bool denied = false;
  unsigned mig = 0;
  std::string mig_power = "none";
  std::string lost_when;
  Curve watts;
  Curve module_watts;
  std::map<unsigned, Curve> mig_watts;
  Steps<int> error{0};
  Steps<int> resets{0};
  Steps<bool> frozen{false};
  Steps<bool> counter_frozen{false};
  Steps<bool> zero{false};
  Steps<Utilization> utilization{{}};
  Steps<unsigned> sm_mhz{1000};
  Steps<unsigned> memory_mhz{1000};
  Steps<unsigned> celsius{40};
  Steps<unsigned long long> throttle{0};
};

struct Trace {
  std::map<unsigned, Gpu> gpus;
  Steps<unsigned> count{0};
  int init = 0;
  Steps<int> shutdown{0};
  double call_us = 0;
};

}  // namespace

/// The object of a device handle; nvml_api.hpp only declares the type.
struct enprof::nvml::DeviceTag {
  unsigned gpu;
  int mig;  // -1: the whole GPU
};

namespace {

using enprof::nvml::Device;

std::mutex mutex;
Trace trace;
std::map<std::pair<unsigned, int>, enprof::nvml::DeviceTag> handles;
std::atomic<std::int64_t> manual_now{0};  // 0: real time
std::int64_t begin_ns = 0;
int users = 0;

std::int64_t now_ns() {
  const std::int64_t manual = manual_now.load();
  return manual != 0 ? manual : std::chrono::steady_clock::now().time_since_epoch().count();
}
double now_ms() { return static_cast<double>(now_ns() - begin_ns) / 1e6; }

#if !defined(FAKE_NVML_OLD)
constexpr unsigned kUsualLimit = 300'000;
constexpr unsigned kLeastLimit = 100'000;
constexpr unsigned kMostLimit = 400'000;

std::optional<std::filesystem::path> limit_file(const Gpu& gpu) {
  const char* const directory = std::getenv("ENPROF_FAKE_NVML_LIMITS");
  return directory != nullptr ? std::optional{std::filesystem::path{directory} / gpu.uuid}
                              : std::nullopt;
}
#endif

[[noreturn]] void refuse(const std::string& line) {
  std::fprintf(stderr, "fake NVML: cannot read the trace line '%s'\n", line.c_str());
  std::abort();
}

void declare_gpu(std::istringstream& words, const std::string& line) {
  unsigned index = 0;
  words >> index;
  Gpu& gpu = trace.gpus[index];
  gpu.uuid = "GPU-" + std::to_string(index);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      refuse(line);
    }
    const std::string key = word.substr(0, equals);
    std::string value = word.substr(equals + 1);
    if (key == "uuid") {
      gpu.uuid = value;
    } else if (key == "name") {
      std::ranges::replace(value, '_', ' ');
      gpu.name = value;
    } else if (key == "arch") {
      gpu.arch = static_cast<unsigned>(std::stoul(value));
    } else if (key == "cc") {
      gpu.major = std::stoi(value);
      gpu.minor = std::stoi(value.substr(value.find('.') + 1));
    } else if (key == "counter") {
      gpu.counter_ms = std::stod(value);
    } else if (key == "update") {
      gpu.update_ms = std::stod(value);
    } else if (key == "fields") {
      gpu.fields = value == "1";
    } else if (key == "usage") {
      gpu.usage = value == "1";
    } else if (key == "scopes") {
      gpu.scopes = value == "1";
    } else if (key == "module") {
      gpu.module = value == "1";
    } else if (key == "denied") {
      gpu.denied = value == "1";
    } else if (key == "mig") {
      gpu.mig = static_cast<unsigned>(std::stoul(value));
    } else if (key == "mig_power") {
      gpu.mig_power = value;
    } else if (key == "lost_when") {
      gpu.lost_when = value;
    } else {
      refuse(line);
    }
  }
  trace.count = Steps<unsigned>(static_cast<unsigned>(trace.gpus.size()));
}

void add_gpu_event(double ms, Gpu& gpu, std::istringstream& words, const std::string& line) {
  std::string verb;
  words >> verb;
  double first = 0;
  double second = 0;
  words >> first >> second;
  if (verb == "watts" || verb == "ramp") {
    gpu.watts.add(ms, first, verb == "ramp");
  } else if (verb == "module_watts") {
    gpu.module_watts.add(ms, first, false);
  } else if (verb == "mig_watts") {
    gpu.mig_watts[static_cast<unsigned>(first)].add(ms, second, false);
  } else if (verb == "error") {
    gpu.error.add(ms, static_cast<int>(first));
  } else if (verb == "reset") {
    gpu.resets.add(ms, 1);
  } else if (verb == "frozen") {
    gpu.frozen.add(ms, first != 0);
  } else if (verb == "counter_frozen") {
    gpu.counter_frozen.add(ms, first != 0);
  } else if (verb == "zero") {
    gpu.zero.add(ms, first != 0);
  } else if (verb == "util") {
    gpu.utilization.add(ms, {static_cast<unsigned>(first), static_cast<unsigned>(second)});
  } else if (verb == "clocks") {
    gpu.sm_mhz.add(ms, static_cast<unsigned>(first));
    gpu.memory_mhz.add(ms, static_cast<unsigned>(second));
  } else if (verb == "temperature") {
    gpu.celsius.add(ms, static_cast<unsigned>(first));
  } else if (verb == "throttle") {
    gpu.throttle.add(ms, static_cast<unsigned long long>(first));
  } else {
    refuse(line);
  }
}

void parse(std::istream& in) {
  trace = {};
  handles.clear();
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word)) {
      continue;
    }
    if (word == "init") {
      words >> trace.init;
    } else if (word == "call_us") {
      words >> trace.call_us;
    } else if (word == "gpu") {
      declare_gpu(words, line);
    } else if (word == "at") {
      double ms = 0;
      std::string what;
      unsigned number = 0;
      words >> ms >> what >> number;
      if (what == "count") {
        trace.count.add(ms, number);
      } else if (what == "shutdown") {
        trace.shutdown.add(ms, static_cast<int>(number));
      } else if (what == "gpu" && trace.gpus.contains(number)) {
        add_gpu_event(ms, trace.gpus.at(number), words, line);
      } else {
        refuse(line);
      }
    } else {
      refuse(line);
    }
  }
}

Return to_return(int code) { return static_cast<Return>(code); }

/// The GPU of a handle, if it answers now; else the error code.
Return look_up(Device device, const Gpu*& gpu) {
  if (users == 0) {
    return Return::uninitialized;
  }
  if (device == nullptr || !trace.gpus.contains(device->gpu)) {
    return Return::invalid_argument;
  }
  gpu = &trace.gpus.at(device->gpu);
  if (!gpu->lost_when.empty() && std::filesystem::exists(gpu->lost_when)) {
    return Return::gpu_is_lost;
  }
  return to_return(gpu->error.get(now_ms()));
}

/// The same for power and energy, which take some time.
Return look_up_sensor(Device device, const Gpu*& gpu) {
  if (trace.call_us > 0 && manual_now.load() != 0) {
    manual_now.fetch_add(static_cast<std::int64_t>(trace.call_us * 1e3));
  }
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  if (device->mig < 0) {
    return gpu->denied ? Return::no_permission : Return::success;
  }
  return gpu->mig_power == "none" ? Return::not_supported : Return::success;
}

const Curve& curve_of(Device device, const Gpu& gpu) {
  if (device->mig >= 0 && gpu.mig_power == "own") {
    static const Curve none;
    const auto own = gpu.mig_watts.find(static_cast<unsigned>(device->mig));
    return own == gpu.mig_watts.end() ? none : own->second;
  }
  return gpu.watts;
}

/// When the current value was updated.
double renewed(const Gpu& gpu, double every_ms) {
  const double ms = now_ms();
  const double shown = gpu.frozen.get(ms) ? gpu.frozen.since(ms) : ms;
  return std::floor(shown / every_ms) * every_ms;
}

unsigned milliwatts(const Gpu& gpu, const Curve& curve, bool mean) {
  if (gpu.zero.get(now_ms())) {
    return 0;
  }
  const double ms = renewed(gpu, gpu.update_ms);
  const double watts = mean ? curve.joules(ms) - curve.joules(ms - 1000) : curve.watts(ms);
  return static_cast<unsigned>(std::lround(watts * 1e3));
}

bool shows_mean(const Gpu& gpu) {
  return gpu.arch >= enprof::nvml::kArchAmpere && (gpu.major != 8 || gpu.minor != 0);
}

Device handle_of(unsigned gpu, int mig) {
  const auto [handle, made] = handles.try_emplace({gpu, mig});
  if (made) {
    handle->second = {gpu, mig};
  }
  return &handle->second;
}

Return copy(const std::string& text, char* buffer, unsigned size) {
  if (text.size() + 1 > size) {
    return static_cast<Return>(7);  // NVML_ERROR_INSUFFICIENT_SIZE
  }
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return Return::success;
}

}  // namespace

// ---- the test's side
// -----------------------------------------------------------------------------

FAKE_API void fake_nvml_load(const char* path, std::int64_t manual_ns) {
  const std::lock_guard lock(mutex);
  std::ifstream in(path);
  parse(in);
  manual_now = manual_ns;
  begin_ns = now_ns();
}
/// Power of a GPU from now on: for a fake load in the same process.
FAKE_API void fake_nvml_set_watts(unsigned gpu, double watts) {
  const std::lock_guard lock(mutex);
  if (begin_ns != 0 && trace.gpus.contains(gpu)) {
    trace.gpus.at(gpu).watts.add(now_ms(), watts, false);
  }
}
FAKE_API std::int64_t fake_nvml_now() { return manual_now.load(); }
FAKE_API void fake_nvml_advance(std::int64_t nanoseconds) { manual_now.fetch_add(nanoseconds); }
FAKE_API int fake_nvml_users() {
  const std::lock_guard lock(mutex);
  return users;
}

// ---- NVML's ------------------------------------------------------------------------------------

// NOLINTBEGIN(readability-identifier-naming): the names are NVML's

FAKE_API Return nvmlInit_v2() {
  const std::lock_guard lock(mutex);
  const char* const path = std::getenv("ENPROF_FAKE_NVML");
  // An initialization that was refused may succeed the next time.
  if (path != nullptr && (begin_ns == 0 || trace.init != 0)) {
    std::ifstream in(path);
    parse(in);
    begin_ns = now_ns();
  }
  if (trace.init != 0) {
    return to_return(trace.init);
  }
  ++users;
  return Return::success;
}
FAKE_API Return nvmlShutdown() {
  const std::lock_guard lock(mutex);
  if (users == 0) {
    return Return::uninitialized;
  }
  --users;
  return to_return(trace.shutdown.get(now_ms()));
}
FAKE_API const char* nvmlErrorString(Return result) {
  switch (static_cast<int>(result)) {
    case 3:
      return "Not Supported";
    case 4:
      return "Insufficient Permissions";
    case 9:
      return "Driver Not Loaded";
    case 10:
      return "Timeout";
    case 15:
      return "GPU is lost";
    case 18:
      return "Driver/library version mismatch";
    default:
      return "Unknown Error";
  }
}
FAKE_API Return nvmlSystemGetDriverVersion(char* buffer, unsigned size) {
  return copy("550.54.15", buffer, size);
}
FAKE_API Return nvmlDeviceGetCount_v2(unsigned* count) {
  const std::lock_guard lock(mutex);
  *count = trace.count.get(now_ms());
  return Return::success;
}
FAKE_API Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  const std::lock_guard lock(mutex);
  if (!trace.gpus.contains(index)) {
    return Return::invalid_argument;
  }
  *device = handle_of(index, -1);
  return to_return(trace.gpus.at(index).error.get(now_ms()));
}
FAKE_API Return nvmlDeviceGetUUID(Device device, char* buffer, unsigned size) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  return copy(device->mig < 0 ? gpu->uuid : "MIG-" + gpu->uuid + "-" + std::to_string(device->mig),
              buffer, size);
}
FAKE_API Return nvmlDeviceGetName(Device device, char* buffer, unsigned size) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  return copy(device->mig < 0 ? gpu->name : gpu->name + " MIG 1g.10gb", buffer, size);
}
FAKE_API Return nvmlDeviceGetPowerUsage(Device device, unsigned* power) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up_sensor(device, gpu);
  if (result != Return::success) {
    return result;
  }
  if (!gpu->usage) {
    return Return::not_supported;
  }
  *power = milliwatts(*gpu, curve_of(device, *gpu), shows_mean(*gpu));
  return Return::success;
}
FAKE_API Return nvmlDeviceGetUtilizationRates(Device device, Utilization* utilization) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  if (gpu->mig > 0) {
    return Return::not_supported;
  }
  *utilization = gpu->utilization.get(now_ms());
  return Return::success;
}
FAKE_API Return nvmlDeviceGetClockInfo(Device device, unsigned clock, unsigned* mhz) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *mhz = (clock == enprof::nvml::kClockSm ? gpu->sm_mhz : gpu->memory_mhz).get(now_ms());
  }
  return result;
}
FAKE_API Return nvmlDeviceGetTemperature(Device device, unsigned, unsigned* celsius) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *celsius = gpu->celsius.get(now_ms());
  }
  return result;
}
FAKE_API Return nvmlDeviceGetCurrentClocksThrottleReasons(Device device,
                                                          unsigned long long* reasons) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *reasons = gpu->throttle.get(now_ms());
  }
  return result;
}

#if !defined(FAKE_NVML_OLD)

FAKE_API Return nvmlDeviceGetArchitecture(Device device, unsigned* architecture) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *architecture = gpu->arch;
  }
  return result;
}
FAKE_API Return nvmlDeviceGetCudaComputeCapability(Device device, int* major, int* minor) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *major = gpu->major;
    *minor = gpu->minor;
  }
  return result;
}
FAKE_API Return nvmlDeviceGetHandleByUUID(const char* uuid, Device* device) {
  const std::lock_guard lock(mutex);
  for (const auto& [index, gpu] : trace.gpus) {
    if (gpu.uuid == uuid) {
      *device = handle_of(index, -1);
      return to_return(gpu.error.get(now_ms()));
    }
  }
  return Return::not_found;
}
FAKE_API Return nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long* energy) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up_sensor(device, gpu);
  if (result != Return::success) {
    return result;
  }
  if (gpu->counter_ms <= 0) {
    return Return::not_supported;
  }
  if (gpu->zero.get(now_ms())) {
    *energy = 0;
    return Return::success;
  }
  const Curve& curve = gpu->module ? gpu->module_watts : curve_of(device, *gpu);
  const double now = now_ms();
  const double shown =
      gpu->counter_frozen.get(now)
          ? std::floor(gpu->counter_frozen.since(now) / gpu->counter_ms) * gpu->counter_ms
          : renewed(*gpu, gpu->counter_ms);
  const double reset = gpu->resets.get(shown) != 0 ? gpu->resets.since(shown) : -1;
  // The counter started long ago, unless it was reset.
  const double joules =
      reset < 0 ? 1e6 + curve.joules(shown) : curve.joules(shown) - curve.joules(reset);
  *energy = static_cast<unsigned long long>(std::max(0.0, std::floor(joules * 1e3 + 1e-6)));
  return Return::success;
}
FAKE_API Return nvmlDeviceGetFieldValues(Device device, int count, FieldValue* values) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up_sensor(device, gpu);
  if (result != Return::success) {
    return result;
  }
  for (int index = 0; index < count; ++index) {
    FieldValue& value = values[index];
    const bool is_mean = value.field == enprof::nvml::kFieldPowerAverage;
    const bool known = (is_mean || value.field == enprof::nvml::kFieldPowerInstant) &&
                       (value.scope == enprof::nvml::kScopeGpu || gpu->module || !gpu->scopes) &&
                       gpu->fields && (!is_mean || shows_mean(*gpu));
    value.result = known ? Return::success : Return::not_supported;
    value.value_type = enprof::nvml::kTypeUnsigned;
    if (known) {
      value.as_unsigned = milliwatts(
          *gpu,
          value.scope == enprof::nvml::kScopeModule ? gpu->module_watts : curve_of(device, *gpu),
          is_mean);
    }
  }
  return Return::success;
}
// The power limit of a GPU, in mW: kept in $ENPROF_FAKE_NVML_LIMITS/UUID, so that several processes
// see one machine.
FAKE_API Return nvmlDeviceGetPowerManagementLimit(Device device, unsigned* limit) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *limit = kUsualLimit;
    if (const auto file = limit_file(*gpu)) {
      std::ifstream(*file) >> *limit;
    }
  }
  return result;
}
FAKE_API Return nvmlDeviceGetPowerManagementLimitConstraints(Device device, unsigned* least,
                                                             unsigned* most) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  *least = kLeastLimit;
  *most = kMostLimit;
  return result;
}
FAKE_API Return nvmlDeviceSetPowerManagementLimit(Device device, unsigned limit) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  const auto file = limit_file(*gpu);
  if (!file) {
    return Return::no_permission;
  }
  if (limit < kLeastLimit || limit > kMostLimit) {
    return Return::invalid_argument;
  }
  std::ofstream(*file) << limit;
  return Return::success;
}
FAKE_API Return nvmlDeviceGetMigMode(Device device, unsigned* current, unsigned* pending) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *current = gpu->mig > 0 ? 1 : 0;
    *pending = *current;
  }
  return result;
}
FAKE_API Return nvmlDeviceGetMaxMigDeviceCount(Device device, unsigned* count) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result == Return::success) {
    *count = gpu->mig > 0 ? 7 : 0;
  }
  return result;
}
FAKE_API Return nvmlDeviceGetMigDeviceHandleByIndex(Device device, unsigned slot,
                                                    Device* instance) {
  const std::lock_guard lock(mutex);
  const Gpu* gpu = nullptr;
  const Return result = look_up(device, gpu);
  if (result != Return::success) {
    return result;
  }
  if (slot >= gpu->mig) {
    return Return::not_found;
  }
  *instance = handle_of(device->gpu, static_cast<int>(slot));
  return Return::success;
}

#endif

// NOLINTEND(readability-identifier-naming)
