// A command that we started, and all processes that descend from it.
#pragma once

#include "enprof/base/units.hpp"

#include "base/child_process.hpp"

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <sys/types.h>
#include <vector>

namespace enprof {

/// Linux makes processes whose parent has ended our children while a tree exists
/// (PR_SET_CHILD_SUBREAPER), so that none leaves the tree, and none that ends is counted twice or
/// not at all. Our other children are not part of it: those that were there before, and those of
/// ChildProcess. On other systems the tree is the command and what its processes have waited for.
/// Threads: cpu_time() from any; everything else from one. One tree at a time.
class ProcessTree {
 public:
  explicit ProcessTree(std::filesystem::path procfs_root = "/proc");
  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;
  ~ProcessTree();  ///< leaves alone what still runs

  /// The command was started, as our child.
  void set_root(pid_t pid);
  [[nodiscard]] pid_t root() const { return root_; }
  /// Reaps what has ended. Returns how the command ended; empty while it runs. Never waits.
  const std::optional<ExitStatus>& reap();

  /// CPU time that all processes of the tree have used so far. Those that run are counted in ticks
  /// of 10 ms.
  [[nodiscard]] Nanoseconds cpu_time();
  /// Those that run now.
  [[nodiscard]] std::vector<pid_t> running() const;
  /// Sends a signal to all that run. False if none of them may be signalled by this user.
  [[nodiscard]] bool signal(int number) const;

 private:
  [[nodiscard]] std::vector<pid_t> children_of(pid_t pid) const;
  /// Our own children that belong to the tree; they may have ended.
  [[nodiscard]] std::vector<pid_t> tops() const;
  /// Calls `visit` with each process of the tree, after its children were looked up.
  template <class Visit>
  void for_each(Visit visit) const;
  void reap_one(pid_t pid);

  std::filesystem::path procfs_;
  bool has_children_files_;  // the kernel lists the children of a process

  std::mutex mutex_;         // held where what follows changes, and by cpu_time()
  std::set<pid_t> foreign_;  // our children that were there before
  pid_t root_ = -1;
  std::optional<ExitStatus> end_;
  Nanoseconds reaped_{0};  // CPU time of processes that were reaped here
  Nanoseconds most_{0};    // that was returned: a sum may miss a process that is just being reaped
};

}  // namespace enprof
