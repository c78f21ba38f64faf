// The whole public API of enprof.
#pragma once

#include "enprof/attribution/energy_attribution.hpp"
#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/log.hpp"
#include "enprof/base/units.hpp"
#include "enprof/base/version.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"
