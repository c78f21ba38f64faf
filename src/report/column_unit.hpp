// One unit for all numbers of a table's column.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Chooses a prefix that suits all values of a column, so that numbers below each other can be
/// compared: the one that brings the largest below 1000; a smaller one, while the largest stays
/// below 100 000, if the smallest would else have one digit or none.
class ColumnUnit {
 public:
  /// `unit` is that of the values: "J", "s", "W".
  explicit ColumnUnit(std::string_view unit) : unit_(unit) {}

  /// Takes a value of the column into account. Values that are absent, zero or not finite have no
  /// size.
  void add(std::optional<double> value);
  /// "mJ".
  [[nodiscard]] std::string name() const;
  /// Four significant digits, at most three of them after the point: "34470", "2.975", "0.004";
  /// "<0.001" below; kAbsent for an absent value.
  [[nodiscard]] std::string cell(std::optional<double> value) const;

 private:
  [[nodiscard]] int prefix() const;

  std::string_view unit_;
  double largest_ = 0.0;
  double smallest_ = 0.0;
};

}  // namespace enprof
