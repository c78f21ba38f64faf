#include "store/downsample.hpp"

#include <cmath>

namespace enprof {
namespace {

struct Place {
  double time = 0.0;
  double power = 0.0;
};

/// A point stands at the middle of its time.
Place place_of(const PowerPoint& point) {
  return {.time = seconds(point.begin) / 2 + seconds(point.end) / 2, .power = point.power.value()};
}

}  // namespace

std::vector<PowerPoint> downsample(std::vector<PowerPoint> points, std::size_t count) {
  if (count == 0 || points.size() <= count) {
    return points;
  }
  if (count < 3) {
    points[count - 1] = points.back();
    points.resize(count);
    return points;
  }
  std::vector<PowerPoint> chosen{points.front()};
  chosen.reserve(count);
  // The points between the first and the last, in count - 2 buckets of nearly equal size.
  const std::size_t inner = points.size() - 2;
  const std::size_t buckets = count - 2;
  const auto begin_of = [&](std::size_t bucket) { return 1 + inner * bucket / buckets; };
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::size_t begin = begin_of(bucket);
    const std::size_t end = begin_of(bucket + 1);
    const std::size_t next_end = bucket + 1 < buckets ? begin_of(bucket + 2) : points.size();
    Place next;
    for (std::size_t index = end; index < next_end; ++index) {
      const Place place = place_of(points[index]);
      next.time += place.time / static_cast<double>(next_end - end);
      next.power += place.power / static_cast<double>(next_end - end);
    }
    const Place before = place_of(chosen.back());
    std::size_t best = begin;
    double largest = -1.0;
    for (std::size_t index = begin; index < end; ++index) {
      const Place place = place_of(points[index]);
      const double area = std::abs((before.time - next.time) * (place.power - before.power) -
                                   (before.time - place.time) * (next.power - before.power));
      if (area > largest) {
        largest = area;
        best = index;
      }
    }
    chosen.push_back(points[best]);
  }
  chosen.push_back(points.back());
  return chosen;
}

}  // namespace enprof
