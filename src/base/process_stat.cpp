#include "base/process_stat.hpp"

#include "base/cpu_times.hpp"
#include "base/kernel_text.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {
namespace {

std::optional<Nanoseconds> time_of(std::string_view ticks) {
  const auto count = whole_number_in(ticks);
  const auto most = static_cast<std::uint64_t>(Nanoseconds::max() / CpuTimes::tick() / 16);
  if (!count || *count > most) {  // so that sums fit
    return std::nullopt;
  }
  return static_cast<Nanoseconds::rep>(*count) * CpuTimes::tick();
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // pid (comm) state …: comm may contain spaces and parentheses, so count from the last one.
  const auto comm_end = text.rfind(')');
  if (comm_end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::vector<std::string_view> fields = words_of(text.substr(comm_end + 1));
  const auto field = [&fields](std::size_t number) {
    constexpr std::size_t kFirst = 3;  // the state
    return number - kFirst < fields.size() ? fields[number - kFirst] : std::string_view{};
  };
  const auto parent = whole_number_in(field(4));
  const auto user = time_of(field(14));
  const auto system = time_of(field(15));
  if (field(3).size() != 1 || !parent || !user || !system) {
    return std::nullopt;
  }
  // Signed in the kernel, and absent from what some sandboxes show.
  const Nanoseconds reaped =
      time_of(field(16)).value_or(Nanoseconds{0}) + time_of(field(17)).value_or(Nanoseconds{0});
  return ProcessStat{.state = field(3).front(),
                     .parent = static_cast<pid_t>(*parent),
                     .cpu = *user + *system,
                     .reaped_cpu = reaped};
}

}  // namespace enprof
