#include "report/json_figures.hpp"

#include "base/json_text.hpp"

namespace enprof {

std::string indented(const Json& json) { return indented<Json>(json); }

std::string on_one_line(const Json& json) { return on_one_line<Json>(json); }

void append_indented(std::string& text, const Json& json, std::size_t depth) {
  const std::string value = indented(json);
  for (std::size_t begin = 0; begin < value.size();) {
    // A line break never is part of a text: JSON escapes it.
    const std::size_t end = value.find('\n', begin);
    text.append(value, begin, end - begin);
    if (end == std::string::npos) {
      break;
    }
    text += '\n';
    text.append(2 * depth, ' ');
    begin = end + 1;
  }
}

}  // namespace enprof
