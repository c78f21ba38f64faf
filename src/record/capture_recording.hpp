// What was seen of a program that serves requests: its models, its passes, and its other work.
#pragma once

#include "enprof/model/capture.hpp"

#include "record/pass_record.hpp"
#include "record/recording.hpp"
#include "record/told_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace enprof {

/// What a program did to the cache of a context.
struct CapturedChange {
  std::uint32_t context = 0;  ///< index into the contexts of the capture
  ToldMemory change;

  friend bool operator==(const CapturedChange&, const CapturedChange&) = default;
};

/// The recording of a capture. Whoever reads a program's records fills it in; assemble_capture()
/// makes requests of it (profile/capture). Instants are those of the monotonic clock. Threads: one.
///
/// A pass is a PassRecord: its begin, the start of its first operation, its end, its plan, stamps
/// and sequences. `place` is not used. Passes of several contexts may overlap in time.
struct CaptureRecording {
  Instant begin;  ///< of the program
  Instant end;
  std::vector<CapturedModel> models;
  std::vector<CapturedContext> contexts;
  PassRecording passes;                   ///< by begin
  std::vector<std::uint32_t> context_of;  ///< by pass: index into contexts
  std::vector<CapturedWork> work;         ///< by begin
  std::vector<CapturedChange> changes;    ///< by time
  std::size_t lost_passes = 0;            ///< that the program made and nobody recorded

  /// Adds a pass of a context; see PassRecording::add.
  void add_pass(std::uint32_t context, const PassRecord& pass, std::span<const Instant> ends,
                std::span<const BatchSequence> batch) {
    passes.add(pass, ends, batch);
    context_of.push_back(context);
  }
};

}  // namespace enprof
