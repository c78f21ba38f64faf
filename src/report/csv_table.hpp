// A table as CSV: RFC 4180, UTF-8, decimal points in any locale.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"

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

/// Built row by row. An absent value is an empty field; an empty text is a pair of quotes. Invalid
/// UTF-8 and NUL, at which many readers stop, become U+FFFD.
class CsvTable {
 public:
  explicit CsvTable(std::initializer_list<std::string_view> columns = {});

  /// The first field of all rows that are begun from now on.
  void begin_rows_with(std::string_view text);
  /// Ends a row and begins the next.
  CsvTable& row();
  /// Ends the last row.
  void finish() { text_ += "\r\n"; }
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
  CsvTable& add(WallTime time);
  template <class T>
  CsvTable& add(const std::optional<T>& value) {
    return value ? add(*value) : absent();
  }
  CsvTable& absent() { return field({}); }
  /// Absent if negative: outside the layers, or the prompt.
  CsvTable& index(std::int32_t value) { return value < 0 ? absent() : add(value); }
  /// Absent if the text is empty.
  CsvTable& text_or_absent(std::string_view text) { return text.empty() ? absent() : add(text); }

  [[nodiscard]] const std::string& text() const { return text_; }
  /// The text added since the last call.
  [[nodiscard]] std::string move_text() { return std::exchange(text_, {}); }

 private:
  CsvTable& field(std::string_view text);

  std::string text_;
  std::optional<std::string> row_begin_;
  bool first_ = true;  // in its row
};

}  // namespace enprof
