#include "report/html_text.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(HtmlText, WhatIsMarkupBecomesText) {
  EXPECT_EQ(html_text("<script>alert('x' & \"y\")</script>"),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
  EXPECT_EQ(html_text("12 µJ – 3 × 4"), "12 µJ – 3 × 4");
  EXPECT_EQ(html_text("a\x1b[31m").find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace enprof
