#include "power/powermetrics/powermetrics_sample.hpp"

#include <fmt/format.h>
#include <plist/plist.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale.h>  // NOLINT(modernize-deprecated-headers): uselocale is POSIX, not C++
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace enprof {
namespace {

constexpr std::array<std::string_view, kPowermetricsRails> kDomainNames{"soc", "cpu",  "gpu",
                                                                        "ane", "dram", "package-0"};

/// In order of severity: SensorQuantity::thermal_pressure counts from 0.
constexpr std::array<std::string_view, 5> kPressures{"Nominal", "Moderate", "Heavy", "Trapping",
                                                     "Sleeping"};

/// libplist frees a document by recursion: deep nesting would overflow the stack. Real documents
/// are four levels deep.
constexpr int kDeepest = 32;

constexpr Nanoseconds kLongestWindow = std::chrono::hours{1};

struct PlistDeleter {
  void operator()(void* node) const noexcept { plist_free(node); }
};
using Plist = std::unique_ptr<std::remove_pointer_t<plist_t>, PlistDeleter>;

/// Makes the calling thread read numbers with a decimal point as long as it lives: libplist uses
/// the locale, and a program that uses enprof may have set another one.
class CLocale {
 public:
  CLocale() : own_(newlocale(LC_ALL_MASK, "C", nullptr)) {
    if (own_ != nullptr) {
      before_ = uselocale(own_);
    }
  }
  CLocale(const CLocale&) = delete;
  CLocale& operator=(const CLocale&) = delete;
  ~CLocale() {
    if (own_ != nullptr) {
      uselocale(before_);
      freelocale(own_);
    }
  }

 private:
  locale_t own_;
  locale_t before_ = nullptr;
};

std::unexpected<Error> malformed(std::string message) {
  return fail(ErrorCode::malformed, std::move(message));
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string result(text.substr(0, kMost));
  std::ranges::replace_if(
      result, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return result + (text.size() > kMost ? "…" : "");
}

template <class Number>
bool is_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

/// Checks all numbers and the nesting, before libplist parses the document.
Result<void> check(std::string_view document) {
  int depth = 0;
  for (std::size_t at = document.find('<'); at != std::string_view::npos;
       at = document.find('<', at + 1)) {
    const std::string_view tag = document.substr(at + 1);
    if (tag.starts_with("dict>") || tag.starts_with("array>")) {
      if (++depth > kDeepest) {
        return malformed(fmt::format("nested more than {} levels deep", kDeepest));
      }
    } else if (tag.starts_with("/dict>") || tag.starts_with("/array>")) {
      --depth;
    }
    for (const std::string_view kind : {std::string_view{"integer"}, std::string_view{"real"}}) {
      if (!tag.starts_with(kind)) {
        continue;
      }
      const std::string_view rest = tag.substr(kind.size());
      const std::string_view value =
          rest.starts_with('>') ? rest.substr(1, rest.find('<') - 1) : std::string_view{};
      const bool good = kind == "real"
                            ? is_number<double>(value)
                            : is_number<std::int64_t>(value) || is_number<std::uint64_t>(value);
      if (!good) {
        return malformed(
            fmt::format("<{}> holds '{}' where a number should be", kind, shown(value)));
      }
    }
  }
  return {};
}

plist_t item(plist_t dictionary, const char* key) {
  if (dictionary == nullptr || plist_get_node_type(dictionary) != PLIST_DICT) {
    return nullptr;
  }
  return plist_dict_get_item(dictionary, key);
}

/// A number of either kind; empty if there is none.
std::optional<double> number(plist_t dictionary, const std::string& key) {
  const plist_t node = item(dictionary, key.c_str());
  if (node == nullptr) {
    return std::nullopt;
  }
  if (plist_get_node_type(node) == PLIST_REAL) {
    double value = 0.0;
    plist_get_real_val(node, &value);
    return value;
  }
  if (plist_get_node_type(node) == PLIST_UINT) {
    std::uint64_t value = 0;
    plist_get_uint_val(node, &value);
    // Negative numbers are in two's complement; our numbers never reach the upper half.
    return static_cast<double>(static_cast<std::int64_t>(value));
  }
  return std::nullopt;
}

/// Finds the energies of a `processor` dictionary and counts the impossible values.
class Energies {
 public:
  Energies(plist_t processor, PowermetricsSample& sample)
      : processor_(processor), sample_(sample) {}

  /// Uses the first of several names that has a usable value.
  void milli(PowermetricsRail rail, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (const auto power = number(processor_, std::string(name) + "_power")) {
        set_energy(rail, from_mw(*power) * sample_.elapsed);
      } else if (const auto energy = number(processor_, std::string(name) + "_energy")) {
        set_energy(rail, from_mj(*energy));
      }
    }
  }
  void package() {
    if (const auto joules = number(processor_, "package_joules")) {
      set_energy(PowermetricsRail::package, Joules{*joules});
    } else if (const auto watts = number(processor_, "package_watts")) {
      set_energy(PowermetricsRail::package, Watts{*watts} * sample_.elapsed);
    }
  }

 private:
  void set_energy(PowermetricsRail rail, Joules energy) {
    auto& place = sample_.energies[static_cast<std::size_t>(rail)];
    if (place) {
      return;
    }
    // False for NaN.
    if (energy >= Joules{0} && energy <= kPowermetricsPowerLimit * sample_.elapsed) {
      place = energy;
    } else {
      ++sample_.refused;
    }
  }

  plist_t processor_;
  PowermetricsSample& sample_;
};

void read_energies(plist_t processor, PowermetricsSample& sample) {
  Energies energies(processor, sample);
  energies.package();
  energies.milli(PowermetricsRail::dram, {"dram"});
  if (sample.energy(PowermetricsRail::package)) {
    return;  // Intel: all other values lie within the package
  }
  energies.milli(PowermetricsRail::soc, {"combined", "package"});
  energies.milli(PowermetricsRail::cpu, {"cpu"});
  energies.milli(PowermetricsRail::gpu, {"gpu"});
  energies.milli(PowermetricsRail::ane, {"ane"});
}

void read_states(plist_t root, PowermetricsSample& sample) {
  const plist_t pressure = item(root, "thermal_pressure");
  if (pressure != nullptr && plist_get_node_type(pressure) == PLIST_STRING) {
    std::uint64_t length = 0;
    const char* text = plist_get_string_ptr(pressure, &length);
    if (text != nullptr) {
      const auto* const level = std::ranges::find(kPressures, std::string_view(text, length));
      if (level != kPressures.end()) {
        sample.thermal_pressure = static_cast<double>(level - kPressures.begin());
      }
    }
  }
  const plist_t gpu = item(root, "gpu");
  if (const auto idle = number(gpu, "idle_ratio"); idle && *idle >= 0.0 && *idle <= 1.0) {
    sample.gpu_utilization = 1.0 - *idle;
  }
  if (const auto clock = number(gpu, "freq_hz"); clock && *clock >= 0.0 && std::isfinite(*clock)) {
    // Apple silicon gives megahertz under this name: 338, not 338000000.
    constexpr double kMostMegahertz = 1e5;
    sample.gpu_clock_hz = *clock < kMostMegahertz ? *clock * 1e6 : *clock;
  }
}

}  // namespace

std::string_view domain_name(PowermetricsRail rail) noexcept {
  return kDomainNames[static_cast<std::size_t>(rail)];
}

Result<PowermetricsSample> parse_powermetrics_sample(std::string_view document) {
  if (document.size() > kPowermetricsDocumentLimit) {
    return malformed(fmt::format("it has {} bytes, which is too long", document.size()));
  }
  if (!document.starts_with("<?xml") && !document.starts_with("<plist")) {
    return malformed(
        fmt::format("it is not a property list: it begins with '{}'", shown(document)));
  }
  if (const auto checked = check(document); !checked) {
    return std::unexpected(checked.error());
  }
  plist_t parsed = nullptr;
  {
    const CLocale locale;
    plist_from_xml(document.data(), static_cast<std::uint32_t>(document.size()), &parsed);
  }
  const Plist root(parsed);
  if (!root || plist_get_node_type(root.get()) != PLIST_DICT) {
    return malformed("the property list is not a dictionary");
  }
  PowermetricsSample sample;
  const auto elapsed = number(root.get(), "elapsed_ns");
  if (!elapsed) {
    return malformed("elapsed_ns is missing");
  }
  if (!(*elapsed >= 1.0 && *elapsed <= static_cast<double>(kLongestWindow.count()))) {
    return malformed(fmt::format("elapsed_ns is {:g}", *elapsed));
  }
  sample.elapsed = Nanoseconds{static_cast<Nanoseconds::rep>(*elapsed)};
  read_energies(item(root.get(), "processor"), sample);
  if (std::ranges::none_of(sample.energies,
                           [](const auto& energy) { return energy.has_value(); })) {
    return malformed(sample.refused > 0 ? "all of its powers are impossible" : "it has no power");
  }
  read_states(root.get(), sample);
  return sample;
}

}  // namespace enprof
