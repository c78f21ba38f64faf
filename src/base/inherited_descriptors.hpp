// Keeps descriptors that this program opened from programs that it starts.
#pragma once

#include <vector>

namespace enprof {

/// The descriptors that were open when it was made: at the program's start, those that whoever
/// started it handed over. Threads: one.
class InheritedDescriptors {
 public:
  InheritedDescriptors();

  /// From now on a program that is started gets only these, of all that are open now. Libraries
  /// open some without O_CLOEXEC: a log file, a recording.
  void close_others_on_exec() const;

 private:
  std::vector<int> descriptors_;  // ascending
};

}  // namespace enprof
