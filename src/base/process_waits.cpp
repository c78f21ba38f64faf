#include "base/process_waits.hpp"

#include "base/directory_names.hpp"
#include "base/kernel_text.hpp"

#include <string>
#include <string_view>

namespace enprof {
namespace {

Nanoseconds nanoseconds(std::uint64_t count) {
  return Nanoseconds{static_cast<std::int64_t>(count)};
}

/// pid (comm) state …: comm may contain spaces and parentheses, so count from the last one. majflt
/// is field 12, state is 3: proc_pid_stat(5).
std::optional<std::uint64_t> major_faults(std::string_view stat) {
  const auto comm_end = stat.rfind(')');
  if (comm_end == std::string_view::npos) {
    return std::nullopt;
  }
  const auto fields = words_of(stat.substr(comm_end + 1));
  constexpr std::size_t kMajorFaults = 12 - 3;
  return fields.size() > kMajorFaults ? whole_number_in(fields[kMajorFaults]) : std::nullopt;
}

}  // namespace

ProcessWaits read_process_waits(const std::filesystem::path& procfs_root) {
  const auto self = procfs_root / "self";
  ProcessWaits waits;
  for (const std::string& task : names_in(self / "task")) {
    const auto id = whole_number_in(task);
    const auto text =
        text_of(self / "task" / task / "schedstat");  // ns run, ns waited, time slices
    const auto words = words_of(text ? std::string_view(*text) : std::string_view{});
    const auto ran = words.empty() ? std::nullopt : whole_number_in(words[0]);
    const auto waited = words.size() < 2 ? std::nullopt : whole_number_in(words[1]);
    if (id && ran && waited) {
      waits.threads[*id] = {.ran = nanoseconds(*ran), .waited = nanoseconds(*waited)};
    }
  }
  waits.disk_reads = major_faults(text_of(self / "stat").value_or(""));
  if (const auto kib = number_after(text_of(self / "status").value_or(""), "VmSwap:")) {
    waits.swapped_bytes = *kib * 1024;
  }
  return waits;
}

std::optional<double> cpu_wait_share(const ProcessWaits& begin, const ProcessWaits& end) {
  Nanoseconds ran{0};
  Nanoseconds waited{0};
  for (const auto& [id, after] : end.threads) {
    const auto before = begin.threads.find(id);
    if (before != begin.threads.end() && after.ran >= before->second.ran &&
        after.waited >= before->second.waited) {
      ran += after.ran - before->second.ran;
      waited += after.waited - before->second.waited;
    }
  }
  constexpr Nanoseconds kShortest = std::chrono::milliseconds{10};
  if (ran + waited < kShortest) {
    return std::nullopt;
  }
  return seconds(waited) / seconds(ran + waited);
}

}  // namespace enprof
