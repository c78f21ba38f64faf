// The page to which the sections of a report are written.
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
  /// A bold label and a text beside it, made safe to print and wrapped. Writes nothing if the text
  /// is empty.
  void line(std::string_view label, const std::string& value);
  /// A blank line, and a title in bold.
  void heading(const std::string& text);
  void table(const TextTable& table) { text_ += table.text(terminal_); }
  /// Verbatim: pass texts from others through printable() first.
  void add(const std::string& text) { text_ += text; }
  [[nodiscard]] std::string move_text() { return std::move(text_); }

 private:
  Terminal terminal_;
  std::string text_;
};

/// Joins the parts that are not empty.
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace enprof
