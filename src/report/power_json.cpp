#include "report/power_json.hpp"

#include <utility>

namespace enprof {
namespace {

Json domains_json(const PowerFigures& power) {
  Json list = Json::array();
  for (const DomainFigure& figure : power.domains) {
    const Domain& domain = figure.domain;
    list.push_back(
        with_figure({{"name", domain.name},
                     {"kind", to_string(domain.kind)},
                     {"scope", to_string(domain.scope)},
                     {"device", text(domain.device)},
                     {"source", domain.source},
                     {"method", to_string(domain.method)},
                     {"within", domain.parent ? Json(power.domains[*domain.parent].domain.name)
                                              : Json(nullptr)},
                     {"period_ms", to_ms(domain.period)},
                     {"stamp_error_ms", to_ms(domain.stamp_error)},
                     {"idle_power_mw", mw(figure.idle_power)},
                     {"idle_spread_mw", mw(figure.idle_spread)}},
                    figure.figure));
  }
  return list;
}

}  // namespace

Json power_json(const PowerFigures& power) {
  Json baseline;
  if (power.baseline) {
    baseline = {{"power_mw", to_mw(power.baseline->power)},
                {"spread_mw", mw(power.baseline->spread)},
                {"duration_ms", to_ms(power.baseline->duration)},
                {"windows", power.baseline->windows}};
  }
  Json peak;
  if (power.peak) {
    Json by_domain = Json::object();
    for (std::size_t index = 0; index < power.peak->by_domain.size(); ++index) {
      by_domain[power.domains[index].domain.name] = mw(power.peak->by_domain[index]);
    }
    peak = {{"power_mw", to_mw(power.peak->power)},
            {"at_ms", to_ms(power.peak->at)},
            {"window_ms", to_ms(power.peak->window)},
            {"domains_mw", std::move(by_domain)}};
  }
  return {{"sources", power.sources},
          {"interval_ms", to_ms(power.interval)},
          {"domains", domains_json(power)},
          {"baseline", std::move(baseline)},
          {"peak", std::move(peak)}};
}

Json power_sample_json(const PowerFigures& power, const PowerSample& sample) {
  return {{"domain", power.domains[sample.domain].domain.name},
          {"begin_ms", to_ms(sample.begin)},
          {"end_ms", to_ms(sample.end)},
          {"energy_mj", to_mj(sample.energy)}};
}

Json power_reading_json(const PowerFigures& power, const PowerReading& reading) {
  return {{"domain", power.domains[reading.domain].domain.name},
          {"quantity", to_string(reading.quantity)},
          {"at_ms", to_ms(reading.at)},
          {"value", reading.value}};
}

}  // namespace enprof
