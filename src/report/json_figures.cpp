#include "report/json_figures.hpp"

namespace enprof {

Json quality_json(const Quality& quality) {
  return {{"sensor", text(quality.sensor)},
          {"method", quality.method ? Json(to_string(*quality.method)) : Json(nullptr)},
          {"coverage", quality.coverage},
          {"resolution", nullable(quality.resolution)},
          {"standard_error_mj", mj(quality.standard_error)},
          {"dynamic_standard_error_mj", mj(quality.dynamic_standard_error)},
          {"foreign_cpu_share", nullable(quality.foreign_cpu_share)}};
}

Json with_figure(Json object, const Figure& figure) {
  object["duration_ms"] = to_ms(figure.duration);
  object["energy_mj"] = mj(figure.total);
  object["baseline_energy_mj"] = mj(figure.baseline);
  object["dynamic_energy_mj"] = mj(figure.dynamic);
  object["mean_power_mw"] = mw(figure.mean_power);
  object["quality"] = quality_json(figure.quality);
  return object;
}

}  // namespace enprof
