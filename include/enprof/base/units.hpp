// Strong units. Inside enprof a number that means energy or power has a type that says so: adding
// watts to joules does not compile. Plain numbers with unit suffixes (`energy_mj`, `power_mw`)
// exist only at the edges (SQL, JSON, flags); the named functions below convert to and from them.
#pragma once

#include <chrono>
#include <compare>

namespace enprof {

/// Durations are nanoseconds everywhere.
using Nanoseconds = std::chrono::nanoseconds;

/// A double with a dimension. Values are plain SI: joules, watts.
template <class Dimension>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double value) : value_(value) {}

  /// The value in the SI unit of the dimension.
  [[nodiscard]] constexpr double value() const { return value_; }

  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    value_ -= other.value_;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity{a.value_ + b.value_};
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity{a.value_ - b.value_};
  }
  friend constexpr Quantity operator-(Quantity a) { return Quantity{-a.value_}; }
  friend constexpr Quantity operator*(Quantity a, double factor) {
    return Quantity{a.value_ * factor};
  }
  friend constexpr Quantity operator*(double factor, Quantity a) { return a * factor; }
  friend constexpr Quantity operator/(Quantity a, double divisor) {
    return Quantity{a.value_ / divisor};
  }
  /// The ratio of two like quantities is a plain number.
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value_ / b.value_; }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;

 private:
  double value_ = 0.0;
};

using Joules = Quantity<struct JoulesDimension>;
using Watts = Quantity<struct WattsDimension>;

/// A duration as a number of seconds.
[[nodiscard]] constexpr double seconds(Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}
/// A duration as a number of milliseconds.
[[nodiscard]] constexpr double to_ms(Nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
/// The duration nearest to a number of milliseconds.
[[nodiscard]] constexpr Nanoseconds from_ms(double milliseconds) {
  return Nanoseconds{
      static_cast<Nanoseconds::rep>(milliseconds * 1e6 + (milliseconds < 0 ? -0.5 : 0.5))};
}
/// A duration as a number of nanoseconds, for calculations that need fractions of them.
[[nodiscard]] constexpr double to_ns(Nanoseconds duration) {
  return static_cast<double>(duration.count());
}
/// The duration nearest to a number of nanoseconds.
[[nodiscard]] constexpr Nanoseconds from_ns(double nanoseconds) {
  return Nanoseconds{static_cast<Nanoseconds::rep>(nanoseconds + (nanoseconds < 0 ? -0.5 : 0.5))};
}

[[nodiscard]] constexpr Joules operator*(Watts power, Nanoseconds duration) {
  return Joules{power.value() * seconds(duration)};
}
[[nodiscard]] constexpr Joules operator*(Nanoseconds duration, Watts power) {
  return power * duration;
}
/// Mean power. The duration must not be zero.
[[nodiscard]] constexpr Watts operator/(Joules energy, Nanoseconds duration) {
  return Watts{energy.value() / seconds(duration)};
}

[[nodiscard]] constexpr double to_mj(Joules energy) { return energy.value() * 1e3; }
[[nodiscard]] constexpr Joules from_mj(double millijoules) { return Joules{millijoules / 1e3}; }
[[nodiscard]] constexpr double to_mw(Watts power) { return power.value() * 1e3; }
[[nodiscard]] constexpr Watts from_mw(double milliwatts) { return Watts{milliwatts / 1e3}; }
/// 1 kWh = 3.6 MJ.
[[nodiscard]] constexpr double to_kwh(Joules energy) { return energy.value() / 3.6e6; }

}  // namespace enprof
