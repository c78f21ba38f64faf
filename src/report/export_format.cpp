#include "report/export_format.hpp"

#include "report/chrome_trace.hpp"
#include "report/folded_stacks.hpp"
#include "report/perfetto_trace.hpp"
#include "report/pprof_profile.hpp"
#include "report/run_json.hpp"
#include "report/speedscope_json.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace enprof {
namespace {

template <class Writer>
std::unique_ptr<TextStream> write(std::unique_ptr<RunSource> run, StackWeight /*weight*/) {
  return std::make_unique<Writer>(std::move(run));
}
std::unique_ptr<TextStream> write_folded(std::unique_ptr<RunSource> run, StackWeight weight) {
  return std::make_unique<FoldedStacks>(std::move(run), weight);
}

constexpr std::array kFormats{ExportFormat{.name = "json",
                                           .ending = "json",
                                           .content_type = "application/json",
                                           .write = write<RunJson>},
                              ExportFormat{.name = "folded",
                                           .ending = "folded",
                                           .content_type = "text/plain; charset=utf-8",
                                           .has_weight = true,
                                           .write = write_folded},
                              ExportFormat{.name = "speedscope",
                                           .ending = "speedscope.json",
                                           .content_type = "application/json",
                                           .write = write<SpeedscopeJson>},
                              ExportFormat{.name = "chrome",
                                           .ending = "trace.json",
                                           .content_type = "application/json",
                                           .write = write<ChromeTrace>},
                              ExportFormat{.name = "perfetto",
                                           .ending = "pftrace",
                                           .content_type = "application/octet-stream",
                                           .is_binary = true,
                                           .write = write<PerfettoTrace>},
                              ExportFormat{.name = "pprof",
                                           .ending = "pb.gz",
                                           .content_type = "application/octet-stream",
                                           .is_binary = true,
                                           .write = write<PprofProfile>}};

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

const ExportFormat* export_format(std::string_view name) {
  const auto* const found = std::ranges::find(kFormats, name, &ExportFormat::name);
  return found == kFormats.end() ? nullptr : found;
}

}  // namespace enprof
