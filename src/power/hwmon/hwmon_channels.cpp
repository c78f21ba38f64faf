#include "power/hwmon/hwmon_channels.hpp"

#include "base/first_line.hpp"
#include "base/polled_file.hpp"
#include "base/whole_number_file.hpp"
#include "power/counter/sensor_fault.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

using std::chrono::milliseconds;

constexpr const char* kNoHwmonHint =
    "Few machines have such sensors, and virtual machines do not. List yours with sensors (of "
    "lm-sensors); a driver may be missing: sudo sensors-detect";

/// A power supply's microcontroller answers about once a second; the driver of amdgpu asks its
/// firmware at most every millisecond (github.com/ROCm/legacy-rocm-build, issue 1649).
constexpr Nanoseconds kSlowRenewal = std::chrono::seconds{1};
constexpr Nanoseconds kGpuRenewal = milliseconds{100};

/// i915 and xe count in a 32-bit register of 2^-14 J behind their files.
constexpr Joules kRegisterReach{262'144};

/// "Measures the overall 5V input to the board" (github.com/rbonghi/jetson_stats, issue 51); on
/// newer ones the supply of the module (NVIDIA, DG-10931-001: Jetson Orin NX design guide, Power).
constexpr std::array<std::string_view, 2> kBoardInputs{"POM_5V_IN", "VDD_IN"};

/// Rails of a Jetson's ina3221 that make up the module together.
struct KnownRails {
  std::vector<std::string_view> sum;
  std::vector<std::string_view> within{};  ///< rails that one of them feeds
};

/// - AGX Orin: VDD_GPU_SOC and VDD_CPU_CV are fed from the module's input of high voltage,
///   VIN_SYS_5V0 from that of 5 V; "VDDQ_VDD2_1V8AO power is also included in VIN_SYS_5V0 power"
///   (NVIDIA, Jetson Linux Developer Guide, Jetson Orin series, Power and Performance; the rails:
///   Linux, tegra234-p3701.dtsi).
/// - AGX Xavier: GPU, CPU, SOC, CV and VDDRQ are fed from SYS_VIN_HV, SYS5V is SYS_VIN_MV (NVIDIA,
///   DG-09840-001: Jetson AGX Xavier design guide, Power Monitor). Their sum is the module's power
///   (github.com/rbonghi/jetson_stats, issue 51).
const std::array<KnownRails, 2> kKnownRails{
    KnownRails{.sum = {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"}, .within = {"VDDQ_VDD2_1V8AO"}},
    KnownRails{.sum = {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}}};

/// Channels of zenpower, of which each socket has its own, as "cpu1 SVI2_P_Core", where there are
/// several (github.com/ocerman/zenpower, zenpower.c; github.com/mattkeenan/zenpower5). Core and SoC
/// are the two planes that feed a CPU (SVI2): they are disjoint. The others are RAPL's registers.
constexpr std::array<std::string_view, 2> kZenPlanes{"SVI2_P_Core", "SVI2_P_SoC"};
constexpr std::string_view kZenPackage = "RAPL_P_Package";
constexpr std::string_view kZenCore = "RAPL_P_Core";

struct ZenLabel {
  int socket = 0;
  std::string_view what;
};

ZenLabel zen_label(std::string_view label) {
  constexpr std::string_view kPrefix = "cpu";
  const auto space = label.find(' ');
  if (!label.starts_with(kPrefix) || space == std::string_view::npos) {
    return {.socket = 0, .what = label};
  }
  int socket = 0;
  const char* const end = label.data() + space;
  const auto [rest, error] = std::from_chars(label.data() + kPrefix.size(), end, socket);
  return error == std::errc{} && rest == end
             ? ZenLabel{.socket = socket, .what = label.substr(space + 1)}
             : ZenLabel{.socket = 0, .what = label};
}

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
    // Its device is of class power_supply: only those have a type.
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
      supplies_.push_back(chip);
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
    finish_gpus();
    finish_supplies();
    finish_meters();
    add_up_known_rails();
    add_up_planes();
    if (machine_) {
      add_channel(std::move(*machine_));
    }
    for (HwmonChannel& sum : sums_) {
      add_channel(std::move(sum));
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
    std::string chip;
    std::string label;
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
      zero_gpus_.push_back(std::move(channel));
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
    std::vector<HwmonChannel> sockets;
    std::vector<Error> failures;
    for (const auto& energy : chip.channels("energy")) {
      const std::string label = chip.text(energy + "_label");
      constexpr std::string_view kSocket = "Esocket";
      if (!label.starts_with(kSocket)) {
        continue;  // a core, which lies in one
      }
      HwmonChannel channel = energy_channel(
          chip, energy, domain_from_name(fmt::format("package-{}", label.substr(kSocket.size()))));
      if (channel.domain.kind != DomainKind::package) {
        continue;
      }
      const auto power = read(channel);
      failures.push_back(power ? Error{} : power.error());
      sockets.push_back(std::move(channel));
    }
    const bool any =
        std::ranges::any_of(failures, [](const Error& error) { return error.message.empty(); });
    for (std::size_t index = 0; index < sockets.size(); ++index) {
      HwmonChannel& socket = sockets[index];
      if (!any) {
        leave_out(socket, failures[index]);
        continue;
      }
      if (!failures[index].message.empty()) {
        add_fault(
            "counter_unreadable", socket.domain.kind,
            fmt::format("{} cannot be read: {}. What it uses is missing from the total, and from "
                        "the coverage",
                        socket.domain.name, failures[index].message),
            "Look at the kernel's log: sudo dmesg | grep -i amd_energy");
      }
      add_channel(std::move(socket));
    }
  }

  /// The second die of a card reports 0 W, as the first reports the power of both. So does a card
  /// that is asleep.
  void finish_gpus() {
    for (const HwmonChannel& channel : zero_gpus_) {
      const std::string name = fmt::format(
          "{} of amdgpu", channel.inputs.front().value.parent_path().filename().string());
      if (gpus_ > 0 && channel.domain.kind == DomainKind::gpu) {
        found_.notes.push_back(fmt::format("{} reports 0 W: another card reports its power", name));
        continue;
      }
      add_fault("sensor_left_out", channel.domain.kind,
                fmt::format("{} reports 0 W and is left out: it may be asleep", name),
                "Start again while it works.");
      failure_ = failure_.value_or(found_.faults.back().incident.error);
    }
  }

  /// All supplies together feed the machine: where one cannot be read, the others are parts.
  void finish_supplies() {
    std::vector<HwmonChannel> readable;
    bool all = true;
    for (const Chip& chip : supplies_) {
      bool any = false;
      for (const auto& power : chip.channels("power")) {
        if (chip.text(power + "_label") != "power total") {
          continue;
        }
        HwmonChannel channel = power_channel(chip, power, domain_from_name("psys"));
        channel.domain.scope = DomainScope::machine;
        if (check(channel)) {
          any = true;
          readable.push_back(std::move(channel));
        }
        break;
      }
      all = all && any;
    }
    for (HwmonChannel& channel : readable) {
      if (all) {
        take_for_machine(std::move(channel));
        continue;
      }
      const auto power = read(channel);
      channel.domain = {};
      channel.domain.name = fmt::format(
          "{}/{}", channel.label, channel.inputs.front().value.parent_path().filename().string());
      channel.domain.scope = DomainScope::unclear;
      rails_.push_back({.channel = std::move(channel),
                        .power = power.value_or(Watts{}),
                        .chip = "corsairpsu",
                        .label = "power total"});
    }
  }

  void add_to_machine(const Chip& chip, const std::string& power) {
    HwmonChannel channel = power_channel(chip, power, domain_from_name("psys"));
    channel.domain.scope = DomainScope::machine;
    if (check(channel)) {
      take_for_machine(std::move(channel));
    }
  }

  void take_for_machine(HwmonChannel channel) {
    if (!machine_) {
      machine_ = std::move(channel);
      return;
    }
    if (machine_->way != channel.way || machine_->averaging != channel.averaging) {
      add_fault(
          "sensor_left_out", DomainKind::psys,
          fmt::format("{} is left out: it measures in another way than {}, and the two cannot be "
                      "added up",
                      channel.label, machine_->label),
          "");
      return;
    }
    machine_->inputs.push_back(channel.inputs.front());
    machine_->label += fmt::format(" + {}", channel.label);
  }

  /// ACPI's meters name what they measure in files of their own: one measures the machine.
  void finish_meters() {
    for (const Chip& chip : meters_) {
      for (const auto& power : chip.channels("power")) {
        if (meters_.size() > 1 || machine_) {
          add_rail(chip, power);
        } else {
          add_to_machine(chip, power);
        }
      }
    }
  }

  void add_rails_by_voltage(const Chip& chip) {
    for (int number = 1; number <= 3; ++number) {
      const std::string voltage = fmt::format("in{}", number);
      const std::string current = fmt::format("curr{}_input", number);
      const std::string label = chip.text(voltage + "_label");
      const bool is_connected = label != "NC" && chip.text(voltage + "_enable") != "0";
      if (!is_connected || !chip.has(voltage + "_input") || !chip.has(current)) {
        continue;
      }
      HwmonChannel channel = described(chip, voltage, label, rail_domain(chip, voltage, label));
      channel.way = HwmonWay::volts_times_amps;
      channel.inputs = {
          {.value = chip.directory / (voltage + "_input"), .current = chip.directory / current}};
      add_checked_rail(std::move(channel), chip.name, label);
    }
  }

  void add_rail(const Chip& chip, const std::string& power) {
    const std::string label = chip.text(power + "_label");
    add_checked_rail(power_channel(chip, power, rail_domain(chip, power, label)), chip.name, label);
  }

  void add_checked_rail(HwmonChannel channel, const std::string& chip, const std::string& label) {
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
    rails_.push_back(
        {.channel = std::move(channel), .power = *power, .chip = chip, .label = label});
  }

  /// The rails of a chip with these labels; empty where one is missing or there several times.
  [[nodiscard]] std::vector<Rail*> find_rails(std::string_view chip,
                                              const std::vector<std::string>& labels) {
    std::vector<Rail*> result;
    for (Rail& rail : rails_) {
      if (rail.chip == chip && std::ranges::find(labels, rail.label) != labels.end()) {
        result.push_back(&rail);
      }
    }
    return result.size() == labels.size() ? result : std::vector<Rail*>{};
  }

  void add_up_known_rails() {
    for (const KnownRails& known : kKnownRails) {
      const auto rails = find_rails("ina3221", {known.sum.begin(), known.sum.end()});
      if (rails.empty()) {
        continue;
      }
      Domain module = domain_from_name("module-0");
      module.scope = DomainScope::module;
      add_sum(std::move(module), rails,
              "The carrier board, with its disk and fan, is not part of it");
      for (const std::string_view within : known.within) {
        for (Rail* const rail : find_rails("ina3221", {std::string(within)})) {
          rail->channel.domain.scope = DomainScope::rail;
        }
      }
    }
  }

  void add_up_planes() {
    std::map<int, std::vector<std::string>> prefixes;  // by socket
    for (const Rail& rail : rails_) {
      const ZenLabel label = zen_label(rail.label);
      if (rail.chip == "zenpower") {
        prefixes[label.socket].push_back(
            rail.label.substr(0, rail.label.size() - label.what.size()));
      }
    }
    for (const auto& [socket, found] : prefixes) {
      const auto labelled = [&, prefix = found.front()](std::string_view what) {
        return prefix + std::string(what);
      };
      Domain package = domain_from_name(fmt::format("package-{}", socket));
      const auto planes =
          find_rails("zenpower", {labelled(kZenPlanes[0]), labelled(kZenPlanes[1])});
      const auto whole = find_rails("zenpower", {labelled(kZenPackage)});
      if (!whole.empty()) {
        whole.front()->channel.domain = std::move(package);
        for (Rail* const plane : planes) {
          make_part(*plane, socket);
        }
        for (Rail* const core : find_rails("zenpower", {labelled(kZenCore)})) {
          make_part(*core, socket);
        }
      } else if (!planes.empty()) {
        add_sum(std::move(package), planes, "Memory and the rest of the board are not part of it");
      }
    }
  }

  static void make_part(Rail& rail, std::optional<int> socket) {
    rail.channel.domain.scope = DomainScope::rail;
    rail.channel.domain.socket = socket;
  }

  /// A domain that is what these rails add up to. They become parts of it.
  void add_sum(Domain domain, const std::vector<Rail*>& rails, std::string_view not_in_it) {
    HwmonChannel sum = rails.front()->channel;
    sum.inputs.clear();
    std::vector<std::string> names;
    for (Rail* const rail : rails) {
      sum.inputs.push_back(rail->channel.inputs.front());
      sum.renewal = std::max(sum.renewal, rail->channel.renewal);
      names.push_back(rail->label);
      make_part(*rail, domain.socket);
    }
    sum.label = fmt::format("{} {}", rails.front()->chip, fmt::join(names, " + "));
    add_fault("rails_added", domain.kind,
              fmt::format("{} is the sum of the rails {} of {}. {}", domain.name,
                          fmt::join(names, " + "), rails.front()->chip, not_in_it),
              "Measure at the board's input to have it all.");
    sum.domain = std::move(domain);
    sums_.push_back(std::move(sum));
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

  /// Reads it once: its power, or zero for a counter.
  [[nodiscard]] static Result<Watts> read(const HwmonChannel& channel) {
    Watts power;
    for (const HwmonChannel::Input& input : channel.inputs) {
      if (channel.way == HwmonWay::energy) {
        if (const auto energy = read_whole_number(input.value); !energy) {
          return std::unexpected(energy.error());
        }
        continue;
      }
      auto value = read_power(input);
      if (!value) {
        return value;
      }
      power += *value;
    }
    const Watts limit =
        channel.domain.kind == DomainKind::psys ? kHwmonMachineLimit : kHwmonPartLimit;
    // A rail at rest may seem to flow backwards a little.
    const Watts least = channel.domain.kind == DomainKind::other ? -limit : Watts{};
    if (power < least || power > limit) {
      return fail(ErrorCode::unavailable,
                  fmt::format("{} reports {:g} W, which it cannot draw",
                              channel.inputs.front().value.string(), power.value()),
                  "Firmware gives such values where it does not know: ACPI 4294967295 mW.");
    }
    return power;
  }

  /// The same; what cannot be read is left out.
  std::optional<Watts> check(const HwmonChannel& channel) {
    auto power = read(channel);
    if (!power) {
      leave_out(channel, std::move(power.error()));
      return std::nullopt;
    }
    return *power;
  }

  void leave_out(const HwmonChannel& channel, Error error) {
    if (error.code == ErrorCode::permission_denied) {
      error.hint = fmt::format("Allow it until the next boot: sudo chmod a+r {}",
                               channel.inputs.front().value.string());
    }
    add_fault("sensor_left_out", channel.domain.kind,
              fmt::format("{} is left out: {}", channel.label, error.message), error.hint);
    failure_ = failure_.value_or(std::move(error));
  }

  void add_fault(const char* code, DomainKind kind, std::string message, std::string hint) {
    found_.faults.push_back(
        {.incident = sensor_fault(code, std::move(message), std::move(hint)), .kind = kind});
  }

  void add_channel(HwmonChannel channel) { found_.channels.push_back(std::move(channel)); }

  HwmonChannels found_;
  std::optional<HwmonChannel> machine_;
  std::vector<HwmonChannel> zero_gpus_;
  std::vector<Chip> supplies_;
  std::vector<Chip> meters_;
  std::vector<HwmonChannel> sums_;
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
