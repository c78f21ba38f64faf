// A chart as data: the same for a picture in a file, for JSON and for the dashboard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

struct ChartAxis {
  std::string title{};
  std::string unit{};           ///< "J": shown with an SI prefix; empty: numbers as they are
  bool is_logarithmic = false;  ///< all values are above 0
};

struct ChartPoint {
  double x = 0.0;
  double y = 0.0;
  std::optional<double> x_half{};  ///< half the interval
  std::optional<double> y_half{};
  std::string label{};
};

enum class SeriesKind : std::uint8_t {
  points,  ///< marks with error bars
  line,    ///< a curve; y_half makes a band
  bars,    ///< stacked on the bars of earlier series; x is the index of the category
};
[[nodiscard]] constexpr std::string_view to_string(SeriesKind kind) noexcept {
  return kind == SeriesKind::points ? "points" : kind == SeriesKind::line ? "line" : "bars";
}

struct ChartSeries {
  std::string name{};
  SeriesKind kind = SeriesKind::points;
  std::vector<ChartPoint> points{};
};

struct Chart {
  std::string title{};
  ChartAxis x{};
  ChartAxis y{};
  std::vector<std::string> categories{};  ///< of the x axis; empty: numbers
  std::vector<ChartSeries> series{};
};

}  // namespace enprof
