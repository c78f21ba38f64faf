// The memory that probes in other programs write into.
#pragma once

#include "enprof/base/error.hpp"

#include "probe/probe_format.h"
#include "record/told_records.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace enprof {

/// What a process says of the llama.cpp in it.
struct ProbedLibrary {
  std::string file;
  std::string llama_version;  ///< empty: it does not say
  std::string ggml_version;
  std::string ggml_commit;
  std::uint32_t knows = 0;   ///< kProbeKnowsBatch, …
  bool was_checked = false;  ///< the program has called it, and `knows` is final
};

/// What did not reach the reader, of one process.
struct ProbeLosses {
  std::size_t passes = 0;
  std::size_t graphs = 0;
  std::size_t contexts = 0;       ///< calls of contexts that were not followed
  std::size_t libraries = 0;      ///< copies of llama.cpp beside the one that was followed
  std::size_t own_callbacks = 0;  ///< contexts whose program has its own eval callback
  std::optional<Error> damage{};  ///< of a ring, which is not read on

  [[nodiscard]] bool operator==(const ProbeLosses&) const = default;
};

/// An anonymous file of enprof's, which probes open by path(), map, and claim slots of. It is gone
/// when all who have mapped it are. A program that writes nonsense into it damages its own records
/// alone. Linux only. Threads: one.
class ProbeArena {
 public:
  /// Makes the sink of a ring of a process: each call is another ring.
  using MakeSink = std::function<std::unique_ptr<ToldSink>(pid_t pid)>;
  /// Called when a process has ended and all that it wrote is read, and by finish().
  using OnEnd =
      std::function<void(pid_t pid, const ProbedLibrary& library, const ProbeLosses& losses)>;

  /// `wanted`: kProbeWantsOperations, … Errors: unsupported on systems other than Linux,
  /// and where there are no anonymous files; io.
  [[nodiscard]] static Result<ProbeArena> create(std::uint32_t wanted, MakeSink make_sink,
                                                 OnEnd on_end);
  ProbeArena(ProbeArena&&) noexcept;
  ProbeArena& operator=(ProbeArena&&) noexcept;
  ~ProbeArena();

  /// What ENPROF_PROBE_ARENA is to say. Valid while this object lives.
  [[nodiscard]] std::string path() const;
  /// Reads what was written since the last call, and closes slots of processes that have ended.
  /// Returns the number of records.
  std::size_t read();
  /// Processes that have claimed a slot and not ended.
  [[nodiscard]] std::size_t processes() const;
  /// Processes that found no slot.
  [[nodiscard]] std::size_t unserved() const;
  /// Files of libraries that were loaded and may contain llama.cpp, though they show none of its
  /// functions.
  [[nodiscard]] std::vector<std::string> suspects() const;
  /// Reads the rest, and closes all slots, whether their processes have ended or not.
  void finish();

 private:
  class Impl;
  explicit ProbeArena(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
