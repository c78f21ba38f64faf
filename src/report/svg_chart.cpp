#include "report/svg_chart.hpp"

#include "report/format.hpp"
#include "report/html_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr double kWidth = 760.0;
constexpr double kPlotHeight = 300.0;
constexpr double kLeft = 84.0;
constexpr double kRight = 16.0;
constexpr double kTop = 14.0;
constexpr double kBelow = 52.0;     // ticks and title of the x axis
constexpr double kSlanted = 110.0;  // the same with categories
constexpr double kLegendLine = 18.0;
constexpr std::size_t kMostLabelled = 14;  // points with their names beside them
// Okabe and Ito: told apart by the colour-blind.
constexpr std::array<std::string_view, 7> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                   "#e69f00", "#56b4e9", "#555555"};

std::string_view colour_of(std::size_t series) { return kColours[series % kColours.size()]; }

bool is_drawable(const Chart& chart, const ChartPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) &&
         (!chart.x.is_logarithmic || point.x > 0.0) && (!chart.y.is_logarithmic || point.y > 0.0);
}

/// From values to pixels.
class Scale {
 public:
  Scale(double low, double high, bool is_logarithmic, double from, double to)
      : low_(is_logarithmic ? std::log(low) : low),
        high_(is_logarithmic ? std::log(high) : high),
        is_logarithmic_(is_logarithmic),
        from_(from),
        to_(to) {}
  [[nodiscard]] double at(double value) const {
    const double place = is_logarithmic_ ? std::log(std::max(value, 1e-300)) : value;
    const double share = high_ > low_ ? (place - low_) / (high_ - low_) : 0.5;
    return from_ + std::clamp(share, -0.02, 1.02) * (to_ - from_);
  }

 private:
  double low_;
  double high_;
  bool is_logarithmic_;
  double from_;
  double to_;
};

struct Range {
  double low = HUGE_VAL;
  double high = -HUGE_VAL;
  void add(double value) {
    if (std::isfinite(value)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  [[nodiscard]] bool is_empty() const { return low > high; }
};

/// Steps of 1, 2 or 5 times a power of ten.
double nice_step(double width, int count) {
  const double rough = width / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) {
      return factor * power;
    }
  }
  return 10.0 * power;
}

std::vector<double> ticks_of(const Range& range, bool is_logarithmic) {
  std::vector<double> ticks;
  constexpr int kAbout = 6;
  constexpr double kDecades = 1.3;  // a smaller range is divided like a line
  if (is_logarithmic && std::log10(range.high / range.low) > kDecades) {
    const double decades = std::log10(range.high / range.low);
    for (double power = std::floor(std::log10(range.low)); power <= std::log10(range.high) + 1.0;
         power += 1.0) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double tick = factor * std::pow(10.0, power);
        const bool is_wanted = factor == 1.0 || decades < 3.0;
        if (is_wanted && tick >= range.low * 0.999 && tick <= range.high * 1.001) {
          ticks.push_back(tick);
        }
      }
    }
    return ticks;
  }
  const double step = nice_step(std::max(range.high - range.low, 1e-300), kAbout);
  for (double tick = std::ceil(range.low / step) * step; tick <= range.high + 1e-9 * step;
       tick += step) {
    ticks.push_back(std::abs(tick) < 1e-9 * step ? 0.0 : tick);
  }
  return ticks;
}

std::string tick_text(double value, const ChartAxis& axis) {
  constexpr int kTickDigits = 3;
  constexpr double kLarge = 10'000.0;
  if (axis.unit.empty() && std::abs(value) < kLarge) {
    return fmt::format("{:.4g}", value);
  }
  std::string text = format_si(value, axis.unit, kTickDigits);
  if (axis.unit.empty() && text.ends_with(' ')) {
    text.pop_back();
  }
  // "2.00 mJ" is "2 mJ" on an axis.
  const std::size_t blank = text.find(' ');
  const std::size_t point = text.find('.');
  if (blank != std::string::npos && point < blank) {
    std::size_t end = blank;
    while (text[end - 1] == '0') {
      --end;
    }
    end -= text[end - 1] == '.' ? 1 : 0;
    text.erase(end, blank - end);
  }
  return text;
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) { measure(); }

  std::string draw() {
    if (is_empty_) {
      return "";
    }
    const double bottom = kTop + kPlotHeight;
    const double below = chart_.categories.empty() ? kBelow : kSlanted;
    const double height = bottom + below + kLegendLine * static_cast<double>(legend_lines());
    out_ = fmt::format(
        "<svg class=\"chart\" viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
        height, html_text(chart_.title));
    draw_axes(bottom);
    for (std::size_t series = 0; series < chart_.series.size(); ++series) {
      draw_series(series);
    }
    draw_legend(bottom + below);
    return out_ + "</svg>\n";
  }

 private:
  void measure() {
    std::vector<double> stacks(chart_.categories.size(), 0.0);
    std::size_t points = 0;
    for (const ChartSeries& series : chart_.series) {
      for (const ChartPoint& point : series.points) {
        if (!is_drawable(chart_, point)) {
          continue;
        }
        if (series.kind == SeriesKind::bars) {
          const auto index = static_cast<std::size_t>(point.x);
          if (index < stacks.size()) {
            stacks[index] += point.y;
            y_.add(stacks[index]);
          }
          continue;
        }
        points += series.kind == SeriesKind::points ? 1 : 0;
        x_.add(point.x - chart_x_half(point));
        x_.add(point.x + chart_x_half(point));
        y_.add(point.y - y_half(point));
        y_.add(point.y + y_half(point));
      }
    }
    has_labels_ = points <= kMostLabelled;
    if (!chart_.categories.empty()) {
      x_ = {.low = -0.5, .high = static_cast<double>(chart_.categories.size()) - 0.5};
    }
    is_empty_ = x_.is_empty() || y_.is_empty();
    if (is_empty_) {
      return;
    }
    widen(x_, chart_.x.is_logarithmic, chart_.categories.empty());
    if (!chart_.y.is_logarithmic && y_.low > 0.0 && y_.low < 0.7 * y_.high) {
      y_.low = 0.0;  // from zero, unless all the values are near each other
    }
    widen(y_, chart_.y.is_logarithmic, true);
    if (!chart_.categories.empty()) {
      y_.low = 0.0;
    }
  }

  static void widen(Range& range, bool is_logarithmic, bool is_wanted) {
    constexpr double kMore = 0.05;
    if (!is_wanted) {
      return;
    }
    if (is_logarithmic) {
      const double factor = std::max(std::pow(range.high / range.low, kMore), 1.02);
      range.low /= factor;
      range.high *= factor;
      return;
    }
    double more = kMore * (range.high - range.low);
    more = more > 0.0 ? more : std::max(kMore * std::abs(range.high), 1e-12);
    range.low -= range.low == 0.0 ? 0.0 : more;
    range.high += more;
  }

  [[nodiscard]] double chart_x_half(const ChartPoint& point) const {
    const double half = point.x_half.value_or(0.0);
    return chart_.x.is_logarithmic && half >= point.x ? 0.0 : half;
  }
  [[nodiscard]] double y_half(const ChartPoint& point) const {
    const double half = point.y_half.value_or(0.0);
    return chart_.y.is_logarithmic && half >= point.y ? 0.0 : half;
  }

  [[nodiscard]] Scale x_scale() const {
    return {x_.low, x_.high, chart_.x.is_logarithmic, kLeft, kWidth - kRight};
  }
  [[nodiscard]] Scale y_scale() const {
    return {y_.low, y_.high, chart_.y.is_logarithmic, kTop + kPlotHeight, kTop};
  }

  void line(std::string_view style, double x1, double y1, double x2, double y2) {
    out_ +=
        fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                    style, x1, y1, x2, y2);
  }
  void text(std::string_view style, double x, double y, std::string_view anchor,
            const std::string& words, std::string_view more = "") {
    out_ +=
        fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>",
                    style, x, y, anchor, more, html_text(words));
  }

  void draw_axes(double bottom) {
    const Scale x = x_scale();
    const Scale y = y_scale();
    for (const double tick : ticks_of(y_, chart_.y.is_logarithmic)) {
      line("grid", kLeft, y.at(tick), kWidth - kRight, y.at(tick));
      text("tick", kLeft - 7, y.at(tick) + 4, "end", tick_text(tick, chart_.y));
    }
    if (chart_.categories.empty()) {
      for (const double tick : ticks_of(x_, chart_.x.is_logarithmic)) {
        line("grid", x.at(tick), kTop, x.at(tick), bottom);
        text("tick", x.at(tick), bottom + 16, "middle", tick_text(tick, chart_.x));
      }
    } else {
      constexpr std::size_t kMostColumns = 24;
      for (std::size_t index = 0; index < chart_.categories.size(); ++index) {
        const double at = x.at(static_cast<double>(index));
        text("tick", at, bottom + 14, "end", cut(chart_.categories[index], kMostColumns),
             fmt::format(" transform=\"rotate(-32 {:.1f} {:.1f})\"", at, bottom + 14));
      }
    }
    line("axis", kLeft, bottom, kWidth - kRight, bottom);
    line("axis", kLeft, kTop, kLeft, bottom);
    text("title", 0.5 * (kLeft + kWidth - kRight), bottom + 38, "middle", chart_.x.title);
    const double middle = kTop + 0.5 * kPlotHeight;
    text("title", 16, middle, "middle", chart_.y.title,
         fmt::format(" transform=\"rotate(-90 16 {:.1f})\"", middle));
    out_ += "\n";
  }

  void draw_mark(std::size_t series, double x, double y) {
    const std::string_view colour = colour_of(series);
    constexpr double kSize = 4.5;
    switch (series % 4) {
      case 0:
        out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>", x, y,
                            kSize, colour);
        break;
      case 1:
        out_ +=
            fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
                        x - kSize * 0.9, y - kSize * 0.9, kSize * 1.8, kSize * 1.8, colour);
        break;
      default: {
        const double up = series % 4 == 2 ? kSize * 1.2 : -kSize * 1.2;
        out_ += fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}Z\" fill=\"{}\"/>",
                            x - kSize * 1.2, y + 0.8 * up, x + kSize * 1.2, y + 0.8 * up, x, y - up,
                            colour);
      }
    }
  }

  void draw_points(std::size_t index) {
    const Scale x = x_scale();
    const Scale y = y_scale();
    for (const ChartPoint& point : chart_.series[index].points) {
      if (!is_drawable(chart_, point)) {
        continue;
      }
      const double at_x = x.at(point.x);
      const double at_y = y.at(point.y);
      const auto bar = [&](double x1, double y1, double x2, double y2) {
        out_ += fmt::format(
            "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>", x1, y1,
            x2, y2, colour_of(index));
      };
      if (const double half = y_half(point); half > 0.0) {
        const double low = y.at(point.y - half);
        const double high = y.at(point.y + half);
        bar(at_x, low, at_x, high);
        bar(at_x - 3, low, at_x + 3, low);
        bar(at_x - 3, high, at_x + 3, high);
      }
      if (const double half = chart_x_half(point); half > 0.0) {
        bar(x.at(point.x - half), at_y, x.at(point.x + half), at_y);
      }
      draw_mark(index, at_x, at_y);
      if (has_labels_ && !point.label.empty()) {
        draw_label(point.label, at_x, at_y);
      }
    }
  }

  /// Beside its point, unless it would cover another one.
  void draw_label(const std::string& label, double x, double y) {
    constexpr std::size_t kMostColumns = 28;
    constexpr double kColumn = 6.0;  // about the width of a letter
    constexpr double kLine = 12.0;
    const std::string words = cut(label, kMostColumns);
    const double width = kColumn * static_cast<double>(display_width(words));
    const bool is_right = x > 0.7 * kWidth;
    const Box box{.left = is_right ? x - 8 - width : x + 8, .top = y - 6 - kLine, .width = width};
    const auto covers = [&](const Box& other) {
      return box.left < other.left + other.width && other.left < box.left + box.width &&
             std::abs(box.top - other.top) < kLine;
    };
    if (std::ranges::any_of(labels_, covers)) {
      return;
    }
    labels_.push_back(box);
    text("label", is_right ? x - 8 : x + 8, y - 6, is_right ? "end" : "start", words);
  }

  void draw_line(std::size_t index) {
    const Scale x = x_scale();
    const Scale y = y_scale();
    std::vector<std::string> middle;
    std::vector<std::string> upper;
    std::vector<std::string> lower;
    for (const ChartPoint& point : chart_.series[index].points) {
      if (!is_drawable(chart_, point)) {
        continue;
      }
      const double half = y_half(point);
      const auto place = [&](double value) {
        return fmt::format("{:.1f},{:.1f}", x.at(point.x), y.at(value));
      };
      middle.push_back(place(point.y));
      upper.push_back(place(point.y + half));
      lower.push_back(place(point.y - half));
    }
    // A curve has the colour of the points before it.
    const std::size_t colour = index > 0 ? index - 1 : index;
    const bool has_band = std::ranges::any_of(
        chart_.series[index].points,
        [](const ChartPoint& point) { return point.y_half.value_or(0.0) > 0.0; });
    if (has_band) {
      std::ranges::reverse(lower);
      out_ += fmt::format("<polygon points=\"{} {}\" fill=\"{}\" opacity=\"0.12\"/>",
                          fmt::join(upper, " "), fmt::join(lower, " "), colour_of(colour));
    }
    out_ +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>",
                    fmt::join(middle, " "), colour_of(colour));
  }

  void draw_bars(std::size_t index) {
    stacks_.resize(chart_.categories.size(), 0.0);
    const Scale x = x_scale();
    const Scale y = y_scale();
    constexpr double kShare = 0.7;
    constexpr double kMostWidth = 70.0;
    const double room = (kWidth - kRight - kLeft) / static_cast<double>(chart_.categories.size());
    const double width = std::min(kShare * room, kMostWidth);
    for (const ChartPoint& point : chart_.series[index].points) {
      const auto at = static_cast<std::size_t>(point.x);
      if (!is_drawable(chart_, point) || at >= stacks_.size() || point.y <= 0.0) {
        continue;
      }
      const double top = y.at(stacks_[at] + point.y);
      out_ += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
          "stroke=\"#fff\" stroke-width=\"0.8\"/>",
          x.at(point.x) - 0.5 * width, top, width, std::max(0.0, y.at(stacks_[at]) - top),
          colour_of(index));
      stacks_[at] += point.y;
    }
  }

  void draw_series(std::size_t index) {
    switch (chart_.series[index].kind) {
      case SeriesKind::points:
        draw_points(index);
        break;
      case SeriesKind::line:
        draw_line(index);
        break;
      case SeriesKind::bars:
        draw_bars(index);
        break;
    }
    out_ += "\n";
  }

  [[nodiscard]] std::size_t legend_lines() const {
    return chart_.series.size() > 1 ? chart_.series.size() : 0;
  }

  void draw_key(SeriesKind kind, std::size_t index, double y) {
    if (kind == SeriesKind::bars) {
      out_ += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>",
                          kLeft - 5, y - 5, colour_of(index));
    } else {
      draw_mark(index, kLeft, y);
    }
  }

  void draw_legend(double top) {
    if (legend_lines() == 0) {
      return;
    }
    constexpr std::size_t kMostColumns = 90;
    for (std::size_t index = 0; index < chart_.series.size(); ++index) {
      const double y = top + kLegendLine * static_cast<double>(index) + 4;
      const ChartSeries& series = chart_.series[index];
      if (series.kind == SeriesKind::line) {
        out_ += fmt::format(
            "<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"{}\" "
            "stroke-width=\"1.6\"/>",
            kLeft - 8, y, kLeft + 8, y, colour_of(index > 0 ? index - 1 : index));
      } else {
        draw_key(series.kind, index, y);
      }
      text("legend", kLeft + 16, y + 4, "start", cut(series.name, kMostColumns));
    }
  }

  const Chart& chart_;
  Range x_{};
  Range y_{};
  bool is_empty_ = false;
  bool has_labels_ = false;
  struct Box {
    double left = 0.0;
    double top = 0.0;
    double width = 0.0;
  };
  std::vector<Box> labels_{};  // that are drawn
  std::vector<double> stacks_{};
  std::string out_{};
};

}  // namespace

std::string svg_chart(const Chart& chart) { return Drawing(chart).draw(); }

}  // namespace enprof
