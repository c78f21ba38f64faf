// The page that the sections of a report are written on.
#pragma once

#include "report/text_table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Threads: one.
class ReportPage {
 public:
  static constexpr std::size_t kLabelWidth = 11;

  explicit ReportPage(const Terminal& terminal) : terminal_(terminal) {}

  [[nodiscard]] const Terminal& terminal() const { return terminal_; }
  /// A bold label and a text beside it, made safe to print, over as many lines as it takes; none
  /// where it is empty.
  void line(std::string_view label, const std::string& value);
  /// A blank line, and a title in bold.
  void heading(const std::string& text);
  void table(const TextTable& table) { text_ += table.text(terminal_); }
  /// As it is: texts of others go through printable() before.
  void add(const std::string& text) { text_ += text; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  Terminal terminal_;
  std::string text_;
};

/// Joins what is not empty.
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace enprof
