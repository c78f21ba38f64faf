// The version of the format in which steps of a run are kept, in journals and in the table
// `run_steps`.
//
// Each step says which version wrote it ("version"; a step that says none is of version 1):
//   1  leaves out what is absent, so a missing column has the default of its member in the model.
//   2  writes null for what is absent. A column that is missing is damage, and an error that names
//      it. Five columns have other names.
//   3  knows the relative uncertainty of each domain, and how much of a window was not seen.
// Whoever changes what steps say raises kStepVersion. A new or renamed column goes into
// kColumnChanges; for anything else StepReader asks for the step's version.
#pragma once

#include "enprof/base/error.hpp"

#include <array>
#include <span>
#include <string_view>

namespace enprof {

/// The version that this program writes, and the newest that it reads.
inline constexpr int kStepVersion = 3;

/// A column that is new, or has another name, since some version.
struct ColumnChange {
  std::string_view list;    ///< the columns that it belongs to, as messages name them: facts.model
  std::string_view column;  ///< its name now
  int since = 0;            ///< the first version that has it under this name
  /// Its name before. Empty: there was none; in older steps it has the default of its member.
  std::string_view before;
};

/// All changes, the latest first.
inline constexpr std::array kColumnChanges{
    ColumnChange{"sensors.domains", "relative_uncertainty", 3, ""},
    // Version 2 calls them as the fields of a run are called (model/run_fields.hpp).
    ColumnChange{"sensors.domains", "source_method", 2, "method"},
    ColumnChange{"sensors.baseline", "power_w", 2, "baseline_power_w"},
    ColumnChange{"sensors.baseline", "power_spread_w", 2, "baseline_power_spread_w"},
    ColumnChange{"sensors.baseline", "duration_ns", 2, "baseline_duration_ns"},
    ColumnChange{"sensors.baseline", "windows", 2, "baseline_windows"},
};

/// How a step is to be read.
struct StepFormat {
  int version = kStepVersion;
  std::span<const ColumnChange> changes = kColumnChanges;
};

}  // namespace enprof
