#include "base/process_tree.hpp"

#include "base/directory_names.hpp"
#include "base/kernel_text.hpp"
#include "base/process_stat.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace enprof {
namespace {

void adopt_orphans(bool wanted) {
#if defined(__linux__)
  prctl(PR_SET_CHILD_SUBREAPER, wanted ? 1 : 0, 0, 0, 0);
#else
  static_cast<void>(wanted);
#endif
}

std::optional<ProcessStat> stat_of(const std::filesystem::path& procfs, pid_t pid) {
  const auto text = text_of(procfs / std::to_string(pid) / "stat");
  return text ? parse_process_stat(*text) : std::nullopt;
}

bool has_ended(const ProcessStat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

Nanoseconds cpu_time_of(const rusage& usage) {
  const auto duration = [](const timeval& time) -> Nanoseconds {
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
  };
  return duration(usage.ru_utime) + duration(usage.ru_stime);
}

/// Where the kernel does not list children: all processes by their parent.
std::multimap<pid_t, pid_t> by_parent(const std::filesystem::path& procfs) {
  std::multimap<pid_t, pid_t> result;
  for (const std::string& name : names_in(procfs)) {
    if (const auto number = whole_number_in(name)) {
      const auto pid = static_cast<pid_t>(*number);
      if (const auto stat = stat_of(procfs, pid)) {
        result.emplace(stat->parent, pid);
      }
    }
  }
  return result;
}

}  // namespace

ProcessTree::ProcessTree(std::filesystem::path procfs_root)
    : procfs_(std::move(procfs_root)),
      has_children_files_(
          text_of(procfs_ / "self" / "task" / std::to_string(getpid()) / "children").has_value()) {
  adopt_orphans(true);
  const std::vector<pid_t> before = children_of(getpid());
  foreign_.insert(before.begin(), before.end());
}

ProcessTree::~ProcessTree() { adopt_orphans(false); }

void ProcessTree::set_root(pid_t pid) {
  const std::lock_guard lock(mutex_);
  root_ = pid;
  foreign_.erase(pid);  // a process that ended had the number before
}

std::vector<pid_t> ProcessTree::children_of(pid_t pid) const {
  std::vector<pid_t> children;
  if (!has_children_files_) {
    const auto all = by_parent(procfs_);
    const auto [begin, end] = all.equal_range(pid);
    std::for_each(begin, end, [&](const auto& entry) { children.push_back(entry.second); });
    return children;
  }
  // Each thread has the children that it started.
  const auto tasks = procfs_ / std::to_string(pid) / "task";
  for (const std::string& task : names_in(tasks)) {
    const auto text = text_of(tasks / task / "children");
    for (const std::string_view word : words_of(text ? std::string_view{*text} : "")) {
      if (const auto child = whole_number_in(word)) {
        children.push_back(static_cast<pid_t>(*child));
      }
    }
  }
  return children;
}

std::vector<pid_t> ProcessTree::tops() const {
  std::vector<pid_t> result;
  for (const pid_t child : children_of(getpid())) {
    if (!foreign_.contains(child) && !is_child_process(child)) {
      result.push_back(child);
    }
  }
  // Without procfs the command itself is known nevertheless.
  if (!end_ && root_ > 0 && std::ranges::find(result, root_) == result.end()) {
    result.push_back(root_);
  }
  return result;
}

void ProcessTree::reap_one(pid_t pid) {
  const std::lock_guard lock(mutex_);
  int status = 0;
  rusage usage{};
  pid_t ended = 0;
  do {
    ended = wait4(pid, &status, WNOHANG, &usage);
  } while (ended < 0 && errno == EINTR);
  if (ended == pid) {
    reaped_ += cpu_time_of(usage);
  }
  if (pid == root_ && ended != 0) {
    end_.emplace();  // unknown if another part of the program has reaped it
    if (ended == pid && WIFEXITED(status)) {
      end_->code = WEXITSTATUS(status);
    } else if (ended == pid && WIFSIGNALED(status)) {
      end_->signal = WTERMSIG(status);
    }
  }
}

const std::optional<ExitStatus>& ProcessTree::reap() {
  // First, so that its end is noticed without delay.
  if (root_ > 0 && !end_) {
    reap_one(root_);
  }
  for (const pid_t top : tops()) {
    if (top != root_) {
      reap_one(top);
    }
  }
  return end_;
}

template <class Visit>
void ProcessTree::for_each(Visit visit) const {
  std::vector<pid_t> left = tops();
  while (!left.empty()) {
    const pid_t pid = left.back();
    left.pop_back();
    const std::vector<pid_t> children = children_of(pid);
    left.insert(left.end(), children.begin(), children.end());
    visit(pid);
  }
}

Nanoseconds ProcessTree::cpu_time() {
  const std::lock_guard lock(mutex_);
  Nanoseconds sum = reaped_;
  for_each([&](pid_t pid) {
    if (const auto stat = stat_of(procfs_, pid)) {
      sum += stat->cpu + stat->reaped_cpu;
    }
  });
  most_ = std::max(most_, sum);
  return most_;
}

std::vector<pid_t> ProcessTree::running() const {
  std::vector<pid_t> result;
  for_each([&](pid_t pid) {
    const auto stat = stat_of(procfs_, pid);
    const bool is_root = pid == root_ && !end_;
    if (stat ? !has_ended(*stat) : is_root) {
      result.push_back(pid);
    }
  });
  return result;
}

bool ProcessTree::signal(int number) const {
  const std::vector<pid_t> all = running();
  bool any = all.empty();
  for (const pid_t pid : all) {
    // One that has ended meanwhile needs no signal.
    any = ::kill(pid, number) == 0 || errno == ESRCH || any;
  }
  return any;
}

}  // namespace enprof
