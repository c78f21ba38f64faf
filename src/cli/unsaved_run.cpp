#include "cli/unsaved_run.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "report/run_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace enprof {
namespace {

constexpr std::string_view kNotSaved = "not_saved";

}  // namespace

bool has_warning(const ProfiledRun& run, std::string_view code) {
  return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
}

bool is_unsaved(const ProfiledRun& run) {
  return has_warning(run, kNotSaved) || has_warning(run, "saved_elsewhere");
}

void keep_unsaved_run(const ProfiledRun& run) {
  if (!has_warning(run, kNotSaved)) {
    return;
  }
  const std::string file = fmt::format("enprof-{}.json", run.run_id);
  if (const auto written = write_output(file, run_to_json(run)); written) {
    print_note(fmt::format(
        "the run is in {} instead; once there is room, import it: enprof import {}", file, file));
  } else {
    print_note(
        fmt::format("the run could not be written here either: {}. With --json FILE on a disk with "
                    "room the next run is kept",
                    written.error().message));
  }
}

}  // namespace enprof
