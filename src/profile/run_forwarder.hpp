// A run whose records and facts go to another process, which keeps it.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "power/counter/border_reader.hpp"
#include "record/shared_records.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace enprof {

/// In the process of the engine: gets what the run's scopes are given. Records are written into
/// shared memory; everything else comes through these calls, before a record that refers to it.
/// Threads: the run's one thread.
class RunForwarder {
 public:
  RunForwarder() = default;
  RunForwarder(const RunForwarder&) = delete;
  RunForwarder& operator=(const RunForwarder&) = delete;
  virtual ~RunForwarder() = default;

  [[nodiscard]] virtual SharedRecords& records() noexcept = 0;
  [[nodiscard]] virtual const SharedRecords::Capacity& capacity() const noexcept = 0;
  /// Counters that the run's thread may read between two operations, if the other process said how.
  [[nodiscard]] virtual std::vector<std::shared_ptr<BorderReader>> border_readers() { return {}; }
  virtual void add_plan(std::uint32_t index, const OperationPlan& plan) = 0;
  /// Identity, model, prompt tokens, response, finish reason, warnings so far: see facts_to_json.
  virtual void set_facts(const ProfiledRun& run) = 0;
  virtual void add_values(const SampledValues& values) = 0;

  /// Begins a run that is forwarded. It has no power and is not saved; end it with abandon().
  [[nodiscard]] static RunScope run(InferencePipelineProfiler& profiler, RunRequest request,
                                    RunForwarder& forwarder);
};

/// In the process that keeps the run: gives it what the engine's process recorded.
/// Threads: the run's one thread.
class RunIntake {
 public:
  /// The memory that the records of this run need.
  [[nodiscard]] static SharedRecords::Capacity capacity_for(const RunScope& run);
  /// The counters that the run has claimed: the engine's thread may read them in its process.
  [[nodiscard]] static std::span<const std::shared_ptr<BorderReader>> border_readers(
      const RunScope& run);
  /// Both must outlive it.
  RunIntake(RunScope& run, SharedRecords& records);

  /// Takes over all records that wait: see RecordFeed::follow().
  void follow(const RecordFeed::OnToken& on_token, bool last = false) {
    feed_.follow(on_token, last);
  }
  [[nodiscard]] std::size_t lost() const noexcept { return feed_.lost() + feed_.dropped(); }

 private:
  RecordFeed feed_;
};

}  // namespace enprof
