#include "power/hwmon/hwmon_channels.hpp"

#include "base/first_line.hpp"
#include "base/polled_file.hpp"
#include "base/whole_number_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

using std::chrono::milliseconds;

constexpr const char* kNoHwmonHint =
    "Few machines have such sensors, virtual ones none. See what yours has: sensors (of "
    "lm-sensors); "
    "a driver may be missing: sudo sensors-detect";

/// A power supply's microcontroller answers about once a second; the driver of amdgpu asks its
/// firmware at most every millisecond (github.com/ROCm/legacy-rocm-build, issue 1649).
constexpr Nanoseconds kSlowRenewal = std::chrono::seconds{1};
constexpr Nanoseconds kGpuRenewal = milliseconds{100};

/// i915 and xe count in a 32-bit register of 2^-14 J behind their files.
constexpr Joules kRegisterReach{262'144};

/// "Measures the overall 5V input to the board" (github.com/rbonghi/jetson_stats, issue 51); on
/// newer ones the supply of the module (NVIDIA, DG-10931-001: Jetson Orin NX design guide, Power).
constexpr std::array<std::string_view, 2> kBoardInputs{"POM_5V_IN", "VDD_IN"};

struct Chip {
  std::filesystem::path directory;
  std::string name;

  [[nodiscard]] bool has(const std::string& file) const {
    std::error_code failed;
    return std::filesystem::exists(directory / file, failed);
  }
  [[nodiscard]] std::string text(const std::string& file) const {
    return first_line_of(directory / file);
  }
  /// "energy1", "power2": the channels that can be read, in order.
  [[nodiscard]] std::vector<std::string> channels(std::string_view type) const;
};

std::vector<std::string> Chip::channels(std::string_view type) const {
  std::map<int, std::string> found;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string file = entry->path().filename().string();
    const auto underscore = file.find('_');
    if (underscore == std::string::npos || !file.starts_with(type)) {
      continue;
    }
    const std::string_view kind = std::string_view(file).substr(underscore);
    int number = 0;
    const char* const digits_end = file.data() + underscore;
    const auto [rest, error] = std::from_chars(file.data() + type.size(), digits_end, number);
    if (error == std::errc{} && rest == digits_end && (kind == "_input" || kind == "_average")) {
      found[number] = file.substr(0, underscore);
    }
  }
  std::vector<std::string> result;
  result.reserve(found.size());
  for (auto& [number, channel] : found) {
    result.push_back(std::move(channel));
  }
  return result;
}

/// hwmon2 before hwmon10.
std::vector<Chip> chips_of(const std::filesystem::path& root, std::error_code& error) {
  std::map<std::pair<std::size_t, std::string>, Chip> sorted;
  for (std::filesystem::directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string directory = entry->path().filename().string();
    sorted[{directory.size(), directory}] = {.directory = entry->path(),
                                             .name = first_line_of(entry->path() / "name")};
  }
  std::vector<Chip> result;
  result.reserve(sorted.size());
  for (auto& [key, chip] : sorted) {
    result.push_back(std::move(chip));
  }
  return result;
}

class Finder {
 public:
  void add(const Chip& chip) {
    // Its device is of class power_supply: only those say of what type they are.
    if (chip.has("device/type")) {
      return;
    }
    if (chip.name == "amdgpu") {
      add_amd_gpu(chip);
    } else if (chip.name == "i915" || chip.name == "xe") {
      add_intel_gpu(chip);
    } else if (chip.name.starts_with("i915_gt")) {
      return;  // a tile of what the card counts
    } else if (chip.name == "amd_energy" || chip.name == "zenergy") {
      add_sockets(chip);
    } else if (chip.name == "corsairpsu") {
      add_supply(chip);
    } else if (chip.name == "power_meter") {
      meters_.push_back(chip);
    } else if (chip.name == "ina3221") {
      add_rails_by_voltage(chip);
    } else {
      for (const auto& channel : chip.channels("power")) {
        add_rail(chip, channel);
      }
    }
  }

  Result<HwmonChannels> finish() {
    finish_meters();
    if (machine_) {
      add_channel(std::move(*machine_));
    }
    // The rail that contains others has the highest power.
    std::ranges::stable_sort(rails_, std::ranges::greater{}, &Rail::power);
    for (Rail& rail : rails_) {
      add_channel(std::move(rail.channel));
    }
    if (!found_.channels.empty()) {
      return std::move(found_);
    }
    if (failure_) {
      return std::unexpected(std::move(*failure_));
    }
    return fail(ErrorCode::not_found, "No chip of the hwmon tree measures energy or power",
                kNoHwmonHint);
  }

 private:
  struct Rail {
    HwmonChannel channel;
    Watts power;
  };

  void add_amd_gpu(const Chip& chip) {
    const auto channels = chip.channels("power");
    if (channels.empty()) {
      return;
    }
    const bool is_apu = chip.has("in1_input");
    const std::string name = is_apu ? "package-0" : fmt::format("gpu-{}", gpus_);
    HwmonChannel channel = power_channel(chip, channels.front(), domain_from_name(name));
    channel.domain.scope = is_apu ? DomainScope::by_kind : DomainScope::device;
    channel.domain.device = identifier_of(chip);
    channel.renewal = kGpuRenewal;
    channel.label += is_apu ? ", with its CPU" : ", its chip";
    const auto power = check(channel);
    if (power && *power <= Watts{0}) {
      found_.notes.push_back(fmt::format("{} of {} says 0 W: another one gives its power",
                                         chip.directory.filename().string(), chip.name));
      return;
    }
    if (power) {
      gpus_ += is_apu ? 0 : 1;
      add_channel(std::move(channel));
    }
  }

  void add_intel_gpu(const Chip& chip) {
    const auto channels = chip.channels("energy");
    const auto card = std::ranges::find_if(
        channels, [&](const auto& channel) { return chip.text(channel + "_label") == "card"; });
    if (channels.empty()) {
      return;
    }
    const std::string& chosen = card != channels.end() ? *card : channels.front();
    const bool is_package = chip.text(chosen + "_label") == "pkg";
    HwmonChannel channel =
        energy_channel(chip, chosen, domain_from_name(fmt::format("gpu-{}", gpus_)));
    channel.domain.scope = is_package ? DomainScope::device : DomainScope::board;
    channel.domain.device = identifier_of(chip);
    channel.reach = kRegisterReach;
    channel.label += is_package ? ", its chip" : ", whole card";
    if (check(channel)) {
      ++gpus_;
      add_channel(std::move(channel));
    }
  }

  void add_sockets(const Chip& chip) {
    for (const auto& energy : chip.channels("energy")) {
      const std::string label = chip.text(energy + "_label");
      constexpr std::string_view kSocket = "Esocket";
      if (!label.starts_with(kSocket)) {
        continue;  // a core, which lies in one
      }
      HwmonChannel channel = energy_channel(
          chip, energy, domain_from_name(fmt::format("package-{}", label.substr(kSocket.size()))));
      if (channel.domain.kind == DomainKind::package && check(channel)) {
        add_channel(std::move(channel));
      }
    }
  }

  void add_supply(const Chip& chip) {
    for (const auto& power : chip.channels("power")) {
      if (chip.text(power + "_label") == "power total" && add_to_machine(chip, power)) {
        return;
      }
    }
  }

  bool add_to_machine(const Chip& chip, const std::string& power) {
    HwmonChannel channel = power_channel(chip, power, domain_from_name("psys"));
    channel.domain.scope = DomainScope::machine;
    if (!check(channel)) {
      return false;
    }
    take_for_machine(std::move(channel));
    return true;
  }

  void take_for_machine(HwmonChannel channel) {
    if (!machine_) {
      machine_ = std::move(channel);
      return;
    }
    if (machine_->way != channel.way || machine_->averaging != channel.averaging) {
      found_.notes.push_back(fmt::format("{} is left out: it measures in another way than {}",
                                         channel.label, machine_->label));
      return;
    }
    machine_->inputs.push_back(channel.inputs.front());
    machine_->label += fmt::format(" + {}", channel.label);
  }

  /// ACPI's meters say in a way of their own what they measure: one is the machine's.
  void finish_meters() {
    for (const Chip& chip : meters_) {
      for (const auto& power : chip.channels("power")) {
        if (meters_.size() > 1 || machine_ || !add_to_machine(chip, power)) {
          add_rail(chip, power);
        }
      }
    }
  }

  void add_rails_by_voltage(const Chip& chip) {
    for (int number = 1; number <= 3; ++number) {
      const std::string voltage = fmt::format("in{}", number);
      const std::string current = fmt::format("curr{}_input", number);
      if (!chip.has(voltage + "_input") || !chip.has(current)) {
        continue;
      }
      const std::string label = chip.text(voltage + "_label");
      HwmonChannel channel = described(chip, voltage, label, rail_domain(chip, voltage, label));
      channel.way = HwmonWay::volts_times_amps;
      channel.inputs = {
          {.value = chip.directory / (voltage + "_input"), .current = chip.directory / current}};
      add_checked_rail(std::move(channel), label);
    }
  }

  void add_rail(const Chip& chip, const std::string& power) {
    const std::string label = chip.text(power + "_label");
    add_checked_rail(power_channel(chip, power, rail_domain(chip, power, label)), label);
  }

  void add_checked_rail(HwmonChannel channel, const std::string& label) {
    const auto power = check(channel);
    if (!power) {
      return;
    }
    if (std::ranges::find(kBoardInputs, label) != kBoardInputs.end()) {
      channel.domain = domain_from_name("psys");
      channel.domain.scope = DomainScope::machine;
      take_for_machine(std::move(channel));
      return;
    }
    rails_.push_back({.channel = std::move(channel), .power = *power});
  }

  [[nodiscard]] static Domain rail_domain(const Chip& chip, const std::string& channel,
                                          const std::string& label) {
    Domain domain;
    domain.name = fmt::format("{}/{}", chip.name, label.empty() ? channel : label);
    domain.scope = DomainScope::unclear;
    return domain;
  }

  [[nodiscard]] static HwmonChannel described(const Chip& chip, const std::string& channel,
                                              const std::string& label, Domain domain) {
    HwmonChannel result{.domain = std::move(domain),
                        .inputs = {},
                        .reach = std::nullopt,
                        .label = fmt::format("{} {}", chip.name, label.empty() ? channel : label)};
    const auto interval = read_whole_number(chip.directory / "update_interval");
    result.renewal = interval && *interval > 0 ? milliseconds{*interval} : kSlowRenewal;
    return result;
  }

  [[nodiscard]] static HwmonChannel energy_channel(const Chip& chip, const std::string& energy,
                                                   Domain domain) {
    HwmonChannel channel = described(chip, energy, chip.text(energy + "_label"), std::move(domain));
    channel.way = HwmonWay::energy;
    channel.inputs = {{.value = chip.directory / (energy + "_input"), .current = {}}};
    return channel;
  }

  [[nodiscard]] static HwmonChannel power_channel(const Chip& chip, const std::string& power,
                                                  Domain domain) {
    HwmonChannel channel = described(chip, power, chip.text(power + "_label"), std::move(domain));
    const std::string average = power + "_average";
    const bool has_average = chip.has(average);
    channel.inputs = {
        {.value = chip.directory / (has_average ? average : power + "_input"), .current = {}}};
    const auto interval = read_whole_number(chip.directory / (average + "_interval"));
    if (has_average && interval && *interval > 0) {
      channel.way = HwmonWay::average_power;
      channel.averaging = milliseconds{*interval};
    }
    return channel;
  }

  /// AMD's cards have a number of their own; a place on the PCI bus is the next best.
  [[nodiscard]] static std::string identifier_of(const Chip& chip) {
    std::string id = chip.text("device/unique_id");
    if (!id.empty()) {
      return id;
    }
    std::error_code failed;
    const auto device = std::filesystem::canonical(chip.directory / "device", failed);
    return failed ? std::string() : device.filename().string();
  }

  /// Reads it once; its power, or zero for a counter. What cannot be read is left out.
  std::optional<Watts> check(const HwmonChannel& channel) {
    Watts power;
    for (const HwmonChannel::Input& input : channel.inputs) {
      Result<Watts> value = Watts{};
      if (channel.way != HwmonWay::energy) {
        value = read_power(input);
      } else if (const auto energy = read_whole_number(input.value); !energy) {
        value = std::unexpected(energy.error());
      }
      if (!value) {
        leave_out(channel, std::move(value.error()));
        return std::nullopt;
      }
      power += *value;
    }
    return power;
  }

  void leave_out(const HwmonChannel& channel, Error error) {
    if (error.code == ErrorCode::permission_denied) {
      error.hint = fmt::format("Allow it until the next boot: sudo chmod a+r {}",
                               channel.inputs.front().value.string());
    }
    found_.notes.push_back(fmt::format("{} is left out: {}", channel.label, error.message));
    failure_ = failure_.value_or(std::move(error));
  }

  void add_channel(HwmonChannel channel) { found_.channels.push_back(std::move(channel)); }

  HwmonChannels found_;
  std::optional<HwmonChannel> machine_;
  std::vector<Chip> meters_;
  std::vector<Rail> rails_;
  std::optional<Error> failure_;
  int gpus_ = 0;
};

}  // namespace

Result<HwmonChannels> find_hwmon_channels(const std::filesystem::path& sysfs_root) {
  const std::filesystem::path root = sysfs_root / "class" / "hwmon";
  std::error_code error;
  const auto chips = chips_of(root, error);
  if (error) {
    const bool missing = error == std::errc::no_such_file_or_directory;
    return fail(missing ? ErrorCode::not_found : error_code_from_errno(error.value()),
                missing ? fmt::format("There is no {}", root.string())
                        : fmt::format("Cannot list {}: {}", root.string(), error.message()),
                kNoHwmonHint);
  }
  Finder finder;
  for (const Chip& chip : chips) {
    finder.add(chip);
  }
  return finder.finish();
}

Result<Watts> read_power(const HwmonChannel::Input& input) {
  const auto value = read_whole_number(input.value);
  if (!value) {
    return std::unexpected(value.error());
  }
  if (input.current.empty()) {
    return Watts{static_cast<double>(*value) * 1e-6};
  }
  const auto current = read_whole_number(input.current);
  if (!current) {
    return std::unexpected(current.error());
  }
  return Watts{static_cast<double>(*value) * static_cast<double>(*current) * 1e-6};
}

}  // namespace enprof
