#include "cli/unsaved_run.hpp"

#include <algorithm>

namespace enprof {

bool has_warning(const ProfiledRun& run, std::string_view code) {
  return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
}

bool is_unsaved(const ProfiledRun& run) {
  return has_warning(run, kNotSavedWarning) || has_warning(run, "saved_elsewhere");
}

}  // namespace enprof
