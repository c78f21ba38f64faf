#include "power/battery/battery_source.hpp"

#include "base/first_line.hpp"
#include "base/whole_number_file.hpp"
#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr double kJoulesPerMicrowatthour = 3600e-6;

/// Whether it feeds this machine, and not a mouse that is near it.
bool is_machines_battery(const std::filesystem::path& supply) {
  return first_line_of(supply / "type") == "Battery" && first_line_of(supply / "scope") != "Device";
}

/// What may feed this machine from outside: "Mains", "USB", "USB_PD", "Wireless", …
bool is_charger(const std::filesystem::path& supply) {
  const std::string type = first_line_of(supply / "type");
  return !type.empty() && type != "Battery" && type != "UPS" &&
         first_line_of(supply / "scope") != "Device";
}

/// 0 is offline, 1 a fixed voltage, 2 a programmable one (Linux,
/// Documentation/ABI/testing/sysfs-class-power). Ports that do not say it feed nothing.
bool is_online(const std::filesystem::path& charger) {
  const std::string online = first_line_of(charger / "online");
  return !online.empty() && online != "0";
}

/// Whether there is a battery in the bay. Drivers that do not say it have one for good.
bool is_present(const std::filesystem::path& battery) {
  return first_line_of(battery / "present") != "0";
}

bool is_discharging(const std::filesystem::path& battery) {
  return first_line_of(battery / "status") == "Discharging";
}

bool is_removed(const std::filesystem::path& supply) {
  std::error_code failed;
  return !std::filesystem::exists(supply, failed) && !failed;
}

/// ACPI says 0xFFFFFFFF mW or mA for what it does not know. The kernel makes that ENODEV in newer
/// versions (drivers/acpi/battery.c, ACPI_BATTERY_VALUE_UNKNOWN): more than any battery gives.
Result<Watts> if_possible(Watts power, const std::filesystem::path& file) {
  if (power <= BatterySource::kLimit) {
    return power;
  }
  return fail(ErrorCode::unavailable,
              fmt::format("{} says {:g} W, which no battery gives", file.string(), power.value()));
}

Result<Watts> power_by_current(const std::filesystem::path& battery) {
  const auto current = read_whole_number(battery / "current_now");
  if (!current) {
    return std::unexpected(current.error());
  }
  const auto voltage = read_whole_number(battery / "voltage_now");
  if (!voltage) {
    return std::unexpected(voltage.error());
  }
  return if_possible(
      Watts{std::abs(static_cast<double>(*current) * static_cast<double>(*voltage)) * 1e-12},
      battery / "current_now");
}

/// W that flow, whichever way: by power_now; where that does not say it, by current and voltage.
Result<Watts> flow_of(const std::filesystem::path& battery) {
  const auto power = read_whole_number(battery / "power_now");
  auto flow = power ? if_possible(Watts{std::abs(static_cast<double>(*power)) * 1e-6},
                                  battery / "power_now")
                    : Result<Watts>{std::unexpected(power.error())};
  if (flow) {
    return flow;
  }
  auto other = power_by_current(battery);
  const bool has_power = power || power.error().code != ErrorCode::not_found;
  return other || !has_power ? other : flow;
}

/// What the gauge says it holds; empty where it counts charge alone.
std::optional<Joules> held_by(const std::filesystem::path& battery) {
  const auto energy = read_whole_number(battery / "energy_now");
  if (!energy || *energy < 0) {
    return std::nullopt;
  }
  return Joules{static_cast<double>(*energy) * kJoulesPerMicrowatthour};
}

Error on_mains(const std::string& status) {
  return {.code = ErrorCode::unavailable,
          .message = fmt::format("The machine does not run on its battery alone ({}): the battery "
                                 "does not measure what comes from outside",
                                 status),
          .hint = "Pull the plug, or choose another source with --power."};
}

}  // namespace

struct BatterySource::State {
  Watts power;                 // that flows out
  std::optional<Joules> held;  // in all of them
  bool discharging = false;
  std::string status;  // for people: "BAT0 Charging"
};

Result<std::unique_ptr<BatterySource>> BatterySource::open(const PowerEnvironment& environment) {
  const std::filesystem::path root = environment.sysfs_root / "class" / "power_supply";
  std::vector<std::filesystem::path> batteries;
  std::vector<std::filesystem::path> chargers;
  std::optional<Error> failure;
  bool any = false;
  bool unreadable = false;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_charger(entry->path())) {
      chargers.push_back(entry->path());
    }
    if (!is_machines_battery(entry->path())) {
      continue;
    }
    batteries.push_back(entry->path());
    if (!is_present(entry->path())) {
      continue;  // an empty bay, which may be filled later
    }
    if (const auto flow = flow_of(entry->path()); flow) {
      any = true;
    } else if (!failure || is_discharging(entry->path())) {
      failure = flow.error();
      unreadable = unreadable || is_discharging(entry->path());
    }
  }
  if (!any) {
    return fail(ErrorCode::not_found,
                failure ? fmt::format("No battery reports its power: {}", failure->message)
                : batteries.empty()
                    ? fmt::format("There is no battery below {}", root.string())
                    : fmt::format("The battery bays below {} are empty", root.string()),
                "Only laptops have one that feeds them.");
  }
  if (unreadable) {
    // One battery's power is not what the machine draws where another one feeds it too.
    return std::unexpected(std::move(*failure));
  }
  std::ranges::sort(batteries);
  std::unique_ptr<BatterySource> source(
      new BatterySource(std::move(batteries), std::move(chargers), *environment.clock));
  const auto state = source->read();
  if (!state) {
    return std::unexpected(state.error());
  }
  if (!state->discharging) {
    return std::unexpected(on_mains(state->status));
  }
  return source;
}

BatterySource::BatterySource(std::vector<std::filesystem::path> batteries,
                             std::vector<std::filesystem::path> chargers, const Clock& clock)
    : batteries_(std::move(batteries)),
      chargers_(std::move(chargers)),
      domain_(domain_from_name("psys")),
      clock_(&clock),
      integrator_({.averaging = Nanoseconds{0}, .longest_hold = 2 * kRenewal}) {
  domain_.source = name();
  domain_.scope = DomainScope::machine;
  domain_.period = kRenewal;
  domain_.stamp_error = uniform_error(kPoll);
}

std::string BatterySource::description() const {
  std::vector<std::string> names;
  names.reserve(batteries_.size());
  for (const auto& battery : batteries_) {
    names.push_back(battery.filename().string());
  }
  return fmt::format(
      "what {} give{} the whole machine, its display included; gauges measure about "
      "once a second",
      fmt::join(names, " and "), names.size() == 1 ? "s" : "");
}

Result<BatterySource::State> BatterySource::read() const {
  State state{.held = Joules{}};
  bool charging = false;
  for (const auto& battery : batteries_) {
    if (!is_removed(battery) && !is_present(battery)) {
      state.status +=
          fmt::format("{}{} absent", state.status.empty() ? "" : ", ", battery.filename().string());
      continue;
    }
    const std::string status = first_line_of(battery / "status");
    state.status += fmt::format("{}{} {}", state.status.empty() ? "" : ", ",
                                battery.filename().string(), status.empty() ? "gone" : status);
    charging = charging || status == "Charging";
    const auto held = held_by(battery);
    state.held = state.held && held ? std::optional{*state.held + *held} : std::nullopt;
    if (status != "Discharging") {
      // Without a status it is not known whether it feeds the machine.
      if (status.empty()) {
        return fail(ErrorCode::not_found,
                    fmt::format("Cannot read {}", (battery / "status").string()));
      }
      continue;
    }
    const auto flow = flow_of(battery);
    if (!flow) {
      return std::unexpected(flow.error());
    }
    state.discharging = true;
    state.power += *flow;
  }
  for (const auto& charger : chargers_) {
    if (is_online(charger)) {
      state.status += fmt::format(", {} plugged in", charger.filename().string());
      charging = true;
    }
  }
  // Of two batteries one may charge the other: what flows between them is not the machine's.
  state.discharging = state.discharging && !charging;
  return state;
}

Result<void> BatterySource::start() {
  integrator_.forget();
  check_.reset();
  const auto state = read();
  if (!state) {
    return std::unexpected(state.error());
  }
  if (!state->discharging) {
    return std::unexpected(on_mains(state->status));
  }
  std::vector<EnergyWindow> none;
  integrator_.read(state->power, clock_->now(), 0, none);
  return {};
}

Poll BatterySource::poll(std::vector<EnergyWindow>& windows) {
  const auto retry = [](Error error) {
    return Poll{.outcome = PollOutcome::retry, .error = std::move(error)};
  };
  const auto state = read();
  const Instant at = clock_->now();
  if (!state) {
    integrator_.miss();
    check_.reset();
    if (const auto removed = std::ranges::find_if(batteries_, is_removed);
        removed != batteries_.end()) {
      return {.outcome = PollOutcome::gone,
              .error = {.code = ErrorCode::not_found,
                        .message = fmt::format("There is no {} any more", removed->string()),
                        .hint = "Put the battery back in."}};
    }
    return retry(state.error());
  }
  if (!state->discharging) {
    integrator_.forget();  // the plug went in some time since the last reading
    check_.reset();
    return retry(on_mains(state->status));
  }
  if (state->power <= Watts{0} || state->power > kLimit) {
    integrator_.miss();
    check_.reset();  // the gauge counts on while no power is known
    return retry({.code = ErrorCode::unavailable,
                  .message = fmt::format("The batteries say that they give {:g} W, which they "
                                         "cannot. That reading is left out",
                                         state->power.value()),
                  .hint = {}});
  }
  const std::size_t before = windows.size();
  integrator_.read(state->power, at, 0, windows);
  Joules measured;
  for (std::size_t index = before; index < windows.size(); ++index) {
    measured += windows[index].energy;
  }
  Poll result;
  if (auto difference = compare(*state, at, measured)) {
    result.incidents.push_back({.code = "gauge_mismatch", .error = std::move(*difference)});
  }
  return result;
}

std::optional<Error> BatterySource::compare(const State& state, Instant at, Joules measured) {
  if (!state.held) {
    return std::nullopt;
  }
  if (!check_) {
    check_ = {.held = *state.held, .at = at, .measured = {}};
    return std::nullopt;
  }
  check_->measured += measured;
  const Joules counted = check_->held - *state.held;
  // A gauge steps by 10 mWh.
  constexpr double kGaugeStep = 10'000 * kJoulesPerMicrowatthour;
  if (check_->reported || at - check_->at < kCheckAfter ||
      counted < Joules{kCheckSteps * kGaugeStep}) {
    return std::nullopt;
  }
  const double ratio = check_->measured / counted;
  if (std::abs(ratio - 1) <= kCheckMargin) {
    return std::nullopt;
  }
  check_->reported = true;
  return Error{.code = ErrorCode::unavailable,
               .message = fmt::format("The batteries count {:.0f} J where their power makes "
                                      "{:.0f} J: one of the two is wrong",
                                      counted.value(), check_->measured.value()),
               .hint = "Energies of this run may be off by as much."};
}

}  // namespace enprof
