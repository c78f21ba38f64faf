#include "report/column_unit.hpp"

#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 9> kPrefixes{"p", "n", "µ", "m", "", "k", "M", "G", "T"};
constexpr int kNone = 4;
constexpr double kNatural = 999.95;  // with four digits more would be 1000
constexpr double kMost = 99'999.5;
constexpr double kFewest = 0.01;  // below it a value has one digit or none
constexpr double kLeast = 0.001;

double scale_of(int prefix) { return std::pow(1000.0, kNone - prefix); }

}  // namespace

void ColumnUnit::add(std::optional<double> value) {
  const double size = std::abs(value.value_or(0.0));
  if (size > 0.0 && std::isfinite(size)) {
    largest_ = std::max(largest_, size);
    smallest_ = smallest_ > 0.0 ? std::min(smallest_, size) : size;
  }
}

int ColumnUnit::prefix() const {
  if (largest_ == 0.0) {
    return kNone;
  }
  int prefix = 0;
  while (prefix + 1 < static_cast<int>(kPrefixes.size()) &&
         largest_ * scale_of(prefix) >= kNatural) {
    ++prefix;
  }
  while (prefix > 0 && smallest_ * scale_of(prefix) < kFewest &&
         largest_ * scale_of(prefix - 1) < kMost) {
    --prefix;
  }
  return prefix;
}

std::string ColumnUnit::name() const {
  return fmt::format("{}{}", kPrefixes[static_cast<std::size_t>(prefix())], unit_);
}

std::string ColumnUnit::cell(std::optional<double> value) const {
  if (!value || !std::isfinite(*value)) {
    return std::string{kAbsent};
  }
  const double scaled = *value * scale_of(prefix());
  const double size = std::abs(scaled);
  if (size == 0.0) {
    return "0";
  }
  if (size < kLeast / 2.0) {
    return scaled < 0.0 ? ">-0.001" : "<0.001";
  }
  constexpr int kDigits = 4;
  constexpr int kDecimals = 3;
  const int whole = size < 1.0 ? 1 : static_cast<int>(std::floor(std::log10(size))) + 1;
  return fmt::format("{:.{}f}", scaled, std::clamp(kDigits - whole, 0, kDecimals));
}

}  // namespace enprof
