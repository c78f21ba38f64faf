#include "power/estimate/cpu_power_model.hpp"

#include "power/estimate/cpu_power_table.hpp"

#include <fmt/format.h>

#include <cmath>

namespace enprof {
namespace {

struct FullPower {
  Watts power;
  std::string origin;
};

FullPower full_power(const CpuIdentity& cpu, unsigned logical_cpus) {
  const std::string name = cpu.name.empty() ? "unknown CPU" : cpu.name;
  const char* const plural = logical_cpus == 1 ? "" : "s";
  const CpuRating* rating = find_cpu_rating(cpu.name);
  if (rating == nullptr) {
    const Watts each = typical_power_per_cpu(cpu.name);
    return {.power = each * logical_cpus,
            .origin = fmt::format("{}: assuming {:g} W per CPU, {} CPU{}",
                                  cpu.name.empty() ? name : name + " is not in the table",
                                  each.value(), logical_cpus, plural)};
  }
  if (cpu.is_virtual) {
    return {.power = rating->tdp * (static_cast<double>(logical_cpus) / rating->logical_cpus),
            .origin = fmt::format("{} of {} CPUs of {}, rated {:g} W", logical_cpus,
                                  rating->logical_cpus, name, rating->tdp.value())};
  }
  return {.power = rating->tdp * cpu.sockets,
          .origin = cpu.sockets == 1 ? fmt::format("{}, rated {:g} W", name, rating->tdp.value())
                                     : fmt::format("{} × {}, rated {:g} W each", cpu.sockets, name,
                                                   rating->tdp.value())};
}

bool is_power(Watts power) { return std::isfinite(power.value()) && power.value() >= 0; }

}  // namespace

Result<CpuPowerModel> make_cpu_power_model(const CpuIdentity& cpu, unsigned logical_cpus,
                                           std::optional<Watts> tdp, std::optional<Watts> idle) {
  if (tdp && (!is_power(*tdp) || tdp->value() == 0)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("A CPU cannot draw {:g} W at full load", tdp->value()),
                "Pass its rated power, for example --tdp-watts 65");
  }
  if (idle && !is_power(*idle)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("A CPU cannot draw {:g} W when idle", idle->value()),
                "Pass its idle power, for example --idle-watts 10");
  }
  const FullPower full = tdp ? FullPower{.power = *tdp, .origin = "given by --tdp-watts"}
                             : full_power(cpu, logical_cpus);
  const Watts least = idle.value_or(full.power * CpuPowerModel::kIdleShare);
  if (least > full.power) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The idle power of {:g} W is above the {:g} W at full load ({})",
                            least.value(), full.power.value(), full.origin),
                "Pass both powers: --tdp-watts W --idle-watts W");
  }
  return CpuPowerModel{.idle = least, .full = full.power, .origin = full.origin};
}

}  // namespace enprof
