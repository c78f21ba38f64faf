// A run as JSON, for `--json`, `export` and the HTTP API.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include "base/text_stream.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// The run as a JSON object, indented, with a newline at the end. Keys carry their units; what was
/// not measured is null; text that is not UTF-8 has its bad bytes replaced by U+FFFD. Takes no more
/// memory for a run of a million operations than for one of ten.
class RunJson final : public TextStream {
 public:
  explicit RunJson(std::unique_ptr<RunSource> source);
  ~RunJson() override;

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same at once.
[[nodiscard]] std::string run_to_json(const ProfiledRun& run);

// Parts of it, on one line.
/// Without tokens, layers, components, operations, values, and what power was when.
[[nodiscard]] std::string run_head_to_json(const ProfiledRun& run);
/// Without tokens and single operations: what of several runs is compared.
[[nodiscard]] std::string run_sums_to_json(const ProfiledRun& run);
/// run_id, phases[], sections[].
[[nodiscard]] std::string pipeline_to_json(const std::string& run_id, const RunPipeline& pipeline);

}  // namespace enprof
