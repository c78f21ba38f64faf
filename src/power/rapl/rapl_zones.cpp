#include "power/rapl/rapl_zones.hpp"

#include "base/cpu_identity.hpp"
#include "base/first_line.hpp"
#include "base/log.hpp"
#include "base/polled_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};
constexpr std::array<std::string_view, 2> kPrefixes{"intel-rapl:", "intel-rapl-mmio:"};

constexpr const char* kNoRaplHint =
    "A virtual machine or a container rarely has RAPL: estimate with --power estimate. On real "
    "hardware, load its driver: sudo modprobe intel_rapl_msr";

/// A zone's directory: intel-rapl:0 is a package or psys, intel-rapl:0:2 lies within the former.
struct ZoneId {
  std::size_t prefix = 0;    // index into kPrefixes
  std::vector<int> numbers;  // one, or two

  [[nodiscard]] bool is_top() const { return numbers.size() == 1; }
  [[nodiscard]] ZoneId parent() const { return {.prefix = prefix, .numbers = {numbers.front()}}; }
  friend auto operator<=>(const ZoneId&, const ZoneId&) = default;
};

std::optional<ZoneId> zone_id(std::string_view directory) {
  for (std::size_t prefix = 0; prefix < kPrefixes.size(); ++prefix) {
    if (!directory.starts_with(kPrefixes[prefix])) {
      continue;
    }
    ZoneId id{.prefix = prefix, .numbers = {}};
    std::string_view rest = directory.substr(kPrefixes[prefix].size());
    while (true) {
      const std::string_view digits = rest.substr(0, rest.find(':'));
      int number = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error != std::errc{} || end != digits.data() + digits.size() || number < 0) {
        return std::nullopt;
      }
      id.numbers.push_back(number);
      if (digits.size() == rest.size()) {
        return id.numbers.size() <= 2 ? std::optional{id} : std::nullopt;
      }
      rest.remove_prefix(digits.size() + 1);
    }
  }
  return std::nullopt;
}

/// Adds the zones that a directory holds. The real tree has links to all of them at its top; they
/// also lie within each other, as the directories that the links lead to.
void list_zones(const std::filesystem::path& directory,
                std::map<ZoneId, std::filesystem::path>& zones, std::error_code& error) {
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const auto id = zone_id(entry->path().filename().string())) {
      zones.try_emplace(*id, entry->path());
    }
  }
}

Result<std::map<ZoneId, std::filesystem::path>> all_zones(const std::filesystem::path& root) {
  std::map<ZoneId, std::filesystem::path> zones;
  std::error_code error;
  list_zones(root, zones, error);
  if (error) {
    if (error == std::errc::no_such_file_or_directory) {
      return fail(ErrorCode::not_found,
                  fmt::format("RAPL unavailable: {} is missing", root.string()), kNoRaplHint);
    }
    return fail(error_code_from_errno(error.value()),
                fmt::format("Cannot list {}: {}", root.string(), error.message()),
                "Run enprof as a user who may: sudo enprof …");
  }
  std::vector<std::filesystem::path> tops;
  for (const auto& [id, path] : zones) {
    if (id.is_top()) {
      tops.push_back(path);
    }
  }
  for (const auto& path : tops) {
    std::error_code
        ignored;  // a zone that cannot be listed cannot be read either, which is reported
    list_zones(path, zones, ignored);
  }
  return zones;
}

Result<std::uint64_t> read_number(std::filesystem::path path) {
  const auto file = PolledFile::open(std::move(path));
  return file ? file->read_number() : std::unexpected(file.error());
}

/// What a package's zone is named after: package-1, package-1-die-0.
struct PackageName {
  int socket = 0;
  std::optional<int> die;
};

std::optional<int> number_after(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return std::nullopt;
  }
  int number = 0;
  const auto [end, error] =
      std::from_chars(text.data() + prefix.size(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<PackageName> package_from_name(std::string_view name) {
  const auto socket = number_after(name, "package-");
  if (!socket) {
    return std::nullopt;
  }
  const auto die = number_after(name, "-die-");
  return name.empty() ? std::optional{PackageName{.socket = *socket, .die = die}} : std::nullopt;
}

/// The number that each package zone gets: its socket's, or where sockets have several dies, its
/// place among all dies.
std::map<ZoneId, int> number_packages(const std::map<ZoneId, std::string>& names) {
  std::map<ZoneId, int> numbers;
  std::map<std::pair<int, int>, int> dies;
  for (const auto& [id, name] : names) {
    if (const auto package = package_from_name(name); id.is_top() && package && package->die) {
      dies[{package->socket, *package->die}] = 0;
    }
  }
  int next = 0;
  for (auto& [die, number] : dies) {
    number = next++;
  }
  for (const auto& [id, name] : names) {
    if (const auto package = package_from_name(name); id.is_top() && package) {
      numbers[id] = package->die ? dies[{package->socket, *package->die}] : package->socket;
    }
  }
  return numbers;
}

/// The domain that a zone stands for; empty where its name is not known.
std::optional<Domain> domain_of(const ZoneId& id, const std::string& name,
                                const std::map<ZoneId, int>& packages, bool core_is_one_core) {
  if (const auto package = packages.find(id); package != packages.end()) {
    return domain_from_name(fmt::format("package-{}", package->second));
  }
  if (name == "core" && core_is_one_core) {
    return std::nullopt;
  }
  if (name == "core" || name == "uncore" || name == "dram") {
    const auto parent = packages.find(id.parent());
    return domain_from_name(
        fmt::format("{}-{}", name, parent != packages.end() ? parent->second : id.numbers.front()));
  }
  Domain domain = domain_from_name(name);
  return domain.kind == DomainKind::psys ? std::optional{std::move(domain)} : std::nullopt;
}

}  // namespace

Result<std::vector<RaplZone>> find_rapl_zones(const std::filesystem::path& sysfs_root,
                                              const std::filesystem::path& procfs_root) {
  const std::filesystem::path root = sysfs_root / "class" / "powercap";
  const auto paths = all_zones(root);
  if (!paths) {
    return std::unexpected(paths.error());
  }
  std::map<ZoneId, std::string> names;
  for (const auto& [id, path] : *paths) {
    names[id] = first_line_of(path / "name");
  }
  const auto packages = number_packages(names);
  const bool amd = read_cpu_identity(procfs_root).is_amd;

  std::vector<RaplZone> zones;
  for (const auto& [id, path] : *paths) {
    auto domain = domain_of(id, names[id], packages, amd);
    if (!domain) {
      kLog.debug("{}: the zone '{}' is left out", path.string(), names[id]);
      continue;
    }
    RaplFiles files{.energy = path / "energy_uj", .range_uj = std::nullopt};
    if (const auto range = read_number(path / "max_energy_range_uj"); range && *range > 0) {
      files.range_uj = *range;
    }
    const auto known = std::ranges::find(zones, domain->name,
                                         [](const RaplZone& zone) { return zone.domain.name; });
    if (known != zones.end()) {
      known->others.push_back(std::move(files));
      continue;
    }
    const auto package = package_from_name(names[id.is_top() ? id : id.parent()]);
    zones.push_back(
        {.domain = std::move(*domain),
         .files = std::move(files),
         .others = {},
         .die_of = package && package->die ? std::optional{package->socket} : std::nullopt});
  }
  if (zones.empty()) {
    return fail(ErrorCode::not_found,
                fmt::format("There is no energy counter below {}", root.string()), kNoRaplHint);
  }
  return zones;
}

}  // namespace enprof
