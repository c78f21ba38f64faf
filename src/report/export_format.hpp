// The formats in which a run is exported as one file. (CSV is several files: run_csv.hpp.)
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"
#include "report/stack_weight.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace enprof {

struct ExportFormat {
  std::string_view name;          ///< json, folded, speedscope, chrome, perfetto or pprof
  std::string_view ending;        ///< of the file's name, as the tools that read it know it
  std::string_view content_type;  ///< for HTTP
  bool is_binary = false;
  bool has_weight = false;  ///< whether it asks for a StackWeight; others have both, or neither
  /// Writes the run while it is read; ends with an error where check_weight() would have been one.
  std::unique_ptr<TextStream> (*write)(std::unique_ptr<RunSource> run,
                                       StackWeight weight) = nullptr;
};

[[nodiscard]] std::span<const ExportFormat> export_formats();
/// Null if there is no such format.
[[nodiscard]] const ExportFormat* export_format(std::string_view name);

}  // namespace enprof
