// How benchmarks print their results: one JSON line per figure, on stdout.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

namespace enprof::bench {

/// The middle value, or the mean of the two middle ones.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

inline void figure(std::string_view name, double value, std::string_view unit) {
  fmt::print("{{\"name\":\"{}\",\"value\":{:.9g},\"unit\":\"{}\"}}\n", name, value, unit);
  std::fflush(stdout);
}

}  // namespace enprof::bench
