#include "report/report_page.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {

void ReportPage::line(std::string_view label, const std::string& value) {
  if (!value.empty()) {
    text_ += fmt::format("{}{}{}\n", styled(terminal_, Style::bold, std::string{label}),
                         std::string(kLabelWidth - std::min(kLabelWidth, label.size()), ' '),
                         wrap(printable(value), terminal_.width, kLabelWidth));
  }
}

void ReportPage::heading(const std::string& text) {
  text_ += "\n" + styled(terminal_, Style::bold, wrap(text, terminal_.width, 0)) + "\n";
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string result;
  for (const std::string& part : parts) {
    if (!part.empty()) {
      result += (result.empty() ? "" : std::string{separator}) + part;
    }
  }
  return result;
}

}  // namespace enprof
