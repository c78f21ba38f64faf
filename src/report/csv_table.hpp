// One table as CSV: RFC 4180, UTF-8, decimal points in any locale.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/figure.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace enprof {

/// Built row by row. What is absent is an empty field; an empty text is a pair of quotes. Bytes
/// that are not UTF-8, and NUL, which many readers stop at, become U+FFFD.
class CsvTable {
 public:
  CsvTable(std::string name, std::initializer_list<std::string_view> columns);
  /// The same with the columns of a figure after the others.
  [[nodiscard]] static CsvTable with_figure(std::string name,
                                            std::initializer_list<std::string_view> columns);

  /// Ends a row and begins the next.
  CsvTable& row();
  /// Ends the last row.
  void finish() { row(); }
  CsvTable& add(std::string_view text);
  CsvTable& add(const char* text) { return add(std::string_view{text}); }
  CsvTable& add(double number);
  CsvTable& add(std::integral auto number) { return field(std::to_string(number)); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  CsvTable& add(Enum value) {
    return add(to_string(value));
  }
  CsvTable& add(Joules energy) { return add(to_mj(energy)); }
  CsvTable& add(Watts power) { return add(to_mw(power)); }
  CsvTable& add(Nanoseconds duration) { return add(to_ms(duration)); }
  template <class T>
  CsvTable& add(const std::optional<T>& value) {
    return value ? add(*value) : absent();
  }
  CsvTable& absent() { return field({}); }
  /// Empty where it is -1: outside the layers, the prompt.
  CsvTable& index(std::int32_t value) { return value < 0 ? absent() : add(value); }
  /// Empty where the text is.
  CsvTable& text_or_absent(std::string_view text) { return text.empty() ? absent() : add(text); }
  CsvTable& figure(const Figure& figure);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// What was added since the last call.
  [[nodiscard]] std::string take_text() { return std::exchange(text_, {}); }

 private:
  void header(std::initializer_list<std::string_view> columns);
  CsvTable& field(std::string_view text);

  std::string name_;
  std::string text_;
  bool first_ = true;  // in its row
};

}  // namespace enprof
