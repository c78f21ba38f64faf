// Exported runs. An accepted run must be the same after writing and reading it.
#include "fuzz/check.hpp"
#include "report/export_format.hpp"
#include "report/run_csv.hpp"
#include "report/run_from_json.hpp"
#include "report/run_json.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace enprof::fuzz {
namespace {

void run(std::string_view text) {
  const auto run = run_from_json(text);
  if (!run) {
    check(!run.error().message.empty(), "a refusal says why");
    return;
  }
  const std::string written = run_to_json(*run);
  const auto again = run_from_json(written);
  check(again.has_value(), "what was written can be read");
  check(run_to_json(*again) == written, "and is written just the same");
  RunInMemory source(*run);
  for (const std::string_view name : csv_table_names()) {
    RunCsv csv(source, name);
    std::string table;
    while (csv.next(table).value_or(false)) {
    }
    check(!table.empty(), "and has tables");
  }
  for (const ExportFormat& format : export_formats()) {
    const auto stream = format.write(std::make_unique<RunInMemory>(*run), StackWeight::time);
    std::string whole;
    Result<bool> more = true;
    while (more && *more) {
      more = stream->next(whole);
    }
    check(more.has_value(), "and has the formats of other tools");
  }
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
