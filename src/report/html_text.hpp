// Text in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// A text as content or as the value of an attribute in quotes: what HTML would read as markup is
/// escaped, control characters are shown as such.
[[nodiscard]] std::string html_text(std::string_view text);

}  // namespace enprof
