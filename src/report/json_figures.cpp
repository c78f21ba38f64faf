#include "report/json_figures.hpp"

#include "base/json_text.hpp"

namespace enprof {

std::string indented(const Json& json) { return indented<Json>(json); }

std::string on_one_line(const Json& json) { return on_one_line<Json>(json); }

void append_indented(std::string& text, const Json& json, std::size_t depth) {
  const std::string value = indented(json);
  for (std::size_t begin = 0; begin < value.size();) {
    // No text has a line break in it: theirs are escaped.
    const std::size_t end = value.find('\n', begin);
    text.append(value, begin, end - begin);
    if (end == std::string::npos) {
      break;
    }
    text += '\n';
    text.append(2 * depth, ' ');
    begin = end + 1;
  }
}

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
