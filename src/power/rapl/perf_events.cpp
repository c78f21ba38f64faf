#include "power/rapl/perf_events.hpp"

#include "power/counter/descriptor_point.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#if defined(__linux__)
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace enprof {

#if defined(__linux__)
namespace {

/// The same event under a descriptor of its own.
class PerfCounter final : public CounterInput {
 public:
  PerfCounter(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  ~PerfCounter() override { ::close(descriptor_); }

  [[nodiscard]] Result<std::uint64_t> read() override {
    std::uint64_t value = 0;
    ssize_t length = 0;
    do {
      length = ::read(descriptor_, &value, sizeof value);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
      const int error = errno;
      return fail(error_code_from_errno(error),
                  fmt::format("Cannot read {}: {} (errno {})", name_,
                              std::generic_category().message(error), error));
    }
    if (length != sizeof value) {  // the event is in error: its CPU went, or its driver
      return fail(ErrorCode::unavailable, fmt::format("{} counts no longer", name_));
    }
    return value;
  }
  [[nodiscard]] std::shared_ptr<const CounterPoint> point() override {
    const int descriptor = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
    return descriptor < 0 ? nullptr
                          : std::make_shared<DescriptorPoint>(
                                CounterPoint::Descriptor{.number = descriptor, .is_text = false});
  }

 private:
  int descriptor_;
  std::string name_;
};

std::string paranoid_level(const std::filesystem::path& procfs_root) {
  std::ifstream in(procfs_root / "sys" / "kernel" / "perf_event_paranoid");
  std::string level;
  return in >> level ? level : "unknown";
}

}  // namespace

Result<std::unique_ptr<CounterInput>> SystemPerfEvents::open(const PerfEvent& event) const {
  perf_event_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = event.type;
  attributes.config = event.config;
  const auto descriptor = static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, -1, event.cpu, -1, PERF_FLAG_FD_CLOEXEC));
  if (descriptor >= 0) {
    return std::make_unique<PerfCounter>(descriptor, event.name);
  }
  const int error = errno;
  const std::string message =
      fmt::format("Cannot open the perf event {} on CPU {}: {} (errno {})", event.name, event.cpu,
                  std::generic_category().message(error), error);
  if (error == EACCES || error == EPERM) {
    // Counting on a CPU, and not in a process, takes level 0 (Linux,
    // Documentation/admin-guide/sysctl/kernel.rst).
    return fail(
        ErrorCode::permission_denied,
        fmt::format("{}; kernel.perf_event_paranoid is {}", message, paranoid_level(procfs_root_)),
        "Allow it until the next boot: sudo sysctl kernel.perf_event_paranoid=0. Or for "
        "this program alone: sudo setcap cap_perfmon+ep \"$(command -v enprof)\" (Linux "
        "5.8 and later)");
  }
  return fail(error == ENOSYS ? ErrorCode::unsupported : ErrorCode::unavailable, message);
}

#else

Result<std::unique_ptr<CounterInput>> SystemPerfEvents::open(const PerfEvent& event) const {
  return fail(ErrorCode::unsupported,
              fmt::format("Cannot open the perf event {}: only Linux has them", event.name));
}

#endif

}  // namespace enprof
