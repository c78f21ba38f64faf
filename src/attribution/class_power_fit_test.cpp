#include "attribution/class_power_fit.hpp"

#include "bench/sim/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <vector>

namespace enprof {
namespace {

using sim::Random;

/// Windows of 10 ms, each with a mix of classes.
struct Data {
  struct Window {
    std::vector<ClassPowerFit::Part> parts;
    double energy_j = 0.0;
  };
  std::vector<double> watts;
  std::vector<Window> windows;
  std::vector<std::optional<PriorPower>> priors{};

  [[nodiscard]] ClassPowers fit() const {
    double energy = 0.0;
    for (const Window& window : windows) {
      energy += window.energy_j;
    }
    const double mean_w =
        windows.empty() ? 50.0 : energy / (0.01 * static_cast<double>(windows.size()));
    ClassPowerFit fit(watts.size(), windows.size(), {.mean_w = mean_w}, Watts{mean_w}, priors);
    for (const bool again : {false, true}) {
      for (std::size_t index = 0; index < windows.size(); ++index) {
        double squares = 0.0;
        for (const ClassPowerFit::Part& part : windows[index].parts) {
          squares += part.time_s * part.time_s;
        }
        const ClassPowerFit::Row row{
            .parts = windows[index].parts,
            .energy_j = windows[index].energy_j,
            .length_s = 0.01,
            .squares_s2 = squares,
            .at = static_cast<double>(index) / static_cast<double>(windows.size())};
        again ? fit.check(row) : fit.add(row);
      }
      if (!again) {
        fit.solve();
      }
    }
    return fit.result();
  }
};

/// Powers around 50 W; mixes that differ by `variety`, noise of `noise` of each part's energy, and
/// power that falls by `fall` from the first window to the last.
Data random_data(std::uint64_t seed, std::size_t count, double variety, double noise,
                 double fall = 0.0) {
  Random random(seed);
  Data data;
  for (int work = 0; work < 6; ++work) {
    data.watts.push_back(50.0 * std::max(0.3, 1.0 + 0.3 * random.normal()));
  }
  for (std::size_t index = 0; index < count; ++index) {
    Data::Window window;
    double all = 0.0;
    for (std::uint32_t work = 0; work < 6; ++work) {
      window.parts.push_back({work, std::exp(variety * random.normal())});
      all += window.parts.back().time_s;
    }
    const double gain = 1.0 - fall * static_cast<double>(index) / static_cast<double>(count);
    for (ClassPowerFit::Part& part : window.parts) {
      part.time_s *= 0.01 / all;
      window.energy_j +=
          data.watts[part.work] * part.time_s * gain * (1.0 + noise * random.normal());
    }
    data.windows.push_back(window);
  }
  return data;
}

double error_of(const ClassPowers& powers, std::size_t work) {
  return std::sqrt(powers.covariance(work, work));
}

/// How much a class's power differs from the mean of all. If all were higher and the drift lower,
/// no share would change: this is in the errors of powers, but not in the errors of differences.
struct Difference {
  double watts = 0.0;
  double error = 0.0;
};
Difference difference(const ClassPowers& powers, std::size_t work) {
  const auto count = static_cast<double>(powers.watts.size());
  Difference result;
  double variance = 0.0;
  for (std::size_t a = 0; a < powers.watts.size(); ++a) {
    const double weight_a = (a == work ? 1.0 : 0.0) - 1.0 / count;
    result.watts += weight_a * powers.watts[a];
    for (std::size_t b = 0; b < powers.watts.size(); ++b) {
      variance += weight_a * ((b == work ? 1.0 : 0.0) - 1.0 / count) * powers.covariance(a, b);
    }
  }
  result.error = std::sqrt(variance);
  return result;
}
double true_difference(const Data& data, std::size_t work) {
  double mean = 0.0;
  for (const double watts : data.watts) {
    mean += watts / static_cast<double>(data.watts.size());
  }
  return data.watts[work] - mean;
}

TEST(ClassPowerFit, FindsPowersWhereMixesDiffer) {
  const Data data = random_data(1, 2000, 0.7, 0.05);
  const ClassPowers powers = data.fit();
  for (std::size_t work = 0; work < 6; ++work) {
    const Difference found = difference(powers, work);
    EXPECT_NEAR(found.watts, true_difference(data, work), 1.0);
    EXPECT_LT(found.error, 0.5);
  }
  EXPECT_EQ(powers.windows, 2000U);
}

TEST(ClassPowerFit, SaysSoWhereAllMixesAreAlike) {
  const Data data = random_data(2, 2000, 0.0, 0.05);
  const ClassPowers powers = data.fit();
  double mean = 0.0;
  for (const double watts : data.watts) {
    mean += watts / 6.0;
  }
  for (std::size_t work = 0; work < 6; ++work) {
    EXPECT_NEAR(powers.watts[work], mean, 1.0);
    // Only the sum of six is certain, which removes a sixth of the prior's variance.
    EXPECT_NEAR(error_of(powers, work), ClassPowerFit::kPriorSpread * mean * std::sqrt(5.0 / 6.0),
                0.1 * mean);
  }
}

TEST(ClassPowerFit, ErrorsAreAsLargeAsClaimed) {
  // From windows with little information to windows with much.
  for (const double variety : {0.02, 0.1, 0.5}) {
    double squares = 0.0;
    int within = 0;
    int all = 0;
    for (std::uint64_t seed = 100; seed < 160; ++seed) {
      const Data data = random_data(seed, 200, variety, 0.1);
      const ClassPowers powers = data.fit();
      for (std::size_t work = 0; work < 6; ++work) {
        const Difference found = difference(powers, work);
        const double z = (found.watts - true_difference(data, work)) / found.error;
        squares += z * z;
        within += std::abs(z) <= 2.0 ? 1 : 0;
        ++all;
      }
    }
    EXPECT_GE(within, 0.9 * all) << variety;
    EXPECT_LT(squares / all, 1.5) << variety;
    EXPECT_GT(squares / all, 0.3) << variety;  // and they are not much too wide
  }
}

TEST(ClassPowerFit, DriftIsNotTakenForThePowerOfWhatRanThen) {
  // Class 0 runs more and more, while all power falls by 10 W.
  Data data = random_data(3, 1000, 0.3, 0.0);
  Random random(4);
  for (std::size_t index = 0; index < data.windows.size(); ++index) {
    Data::Window& window = data.windows[index];
    const double place = static_cast<double>(index) / 1000.0;
    window.energy_j = 0.0;
    double all = 0.0;
    for (ClassPowerFit::Part& part : window.parts) {
      part.time_s *= part.work == 0 ? 0.5 + place : 1.0;
      all += part.time_s;
    }
    for (ClassPowerFit::Part& part : window.parts) {
      part.time_s *= 0.01 / all;
      window.energy_j +=
          (data.watts[part.work] - 10.0 * place) * part.time_s * (1.0 + 0.02 * random.normal());
    }
  }
  const ClassPowers powers = data.fit();
  for (std::size_t work = 0; work < 6; ++work) {
    EXPECT_NEAR(difference(powers, work).watts, true_difference(data, work), 1.0) << work;
  }
}

TEST(ClassPowerFit, WithoutWindowsThereIsThePrior) {
  Data data;
  data.watts = {1, 1, 1};
  const ClassPowers powers = data.fit();
  for (std::size_t work = 0; work < 3; ++work) {
    EXPECT_DOUBLE_EQ(powers.watts[work], 50.0);
    EXPECT_NEAR(error_of(powers, work), 50.0 * ClassPowerFit::kPriorSpread, 1.0);
  }
}

TEST(ClassPowerFit, NoClassDrawsNothing) {
  // According to these windows a class gives energy back.
  Data data;
  data.watts = {1, 1};
  for (int index = 0; index < 400; ++index) {
    const double part = 0.001 * (index % 10);
    data.windows.push_back({{{0, part}, {1, 0.01 - part}}, 0.5 - 90.0 * part});
  }
  const ClassPowers powers = data.fit();
  EXPECT_GT(powers.watts[0], 0.0);
  EXPECT_GT(powers.watts[1], 0.0);
}

/// A calibration at 0.8 × the run's power, off by these shares.
std::vector<std::optional<PriorPower>> priors_for(const Data& data, double deviation,
                                                  const std::vector<double>& off = {}) {
  std::vector<std::optional<PriorPower>> priors;
  for (std::uint32_t work = 0; work < data.watts.size(); ++work) {
    const double wrong = work < off.size() ? off[work] : 0.0;
    const PriorPower prior{
        .watts = 0.8 * data.watts[work] * (1.0 + wrong), .deviation = deviation, .group = work};
    priors.emplace_back(prior);
  }
  return priors;
}

TEST(ClassPowerFit, ACalibrationTellsClassesApartWhereWindowsDoNot) {
  Data data = random_data(5, 500, 0.0, 0.05);
  data.priors = priors_for(data, 0.03);
  const ClassPowers powers = data.fit();
  ASSERT_TRUE(powers.prior_factor);
  EXPECT_NEAR(*powers.prior_factor, 1.25, 0.01);
  for (std::size_t work = 0; work < 6; ++work) {
    EXPECT_NEAR(powers.watts[work] / data.watts[work], 1.0, 0.01) << work;
    EXPECT_NEAR(error_of(powers, work) / powers.watts[work], 0.03, 0.006) << work;
  }
}

TEST(ClassPowerFit, WindowsCorrectACalibration) {
  Data data = random_data(6, 2000, 0.7, 0.05);
  data.priors = priors_for(data, 0.05, {0.2, -0.2, 0.1});
  const ClassPowers powers = data.fit();
  for (std::size_t work = 0; work < 6; ++work) {
    EXPECT_NEAR(difference(powers, work).watts, true_difference(data, work), 1.5) << work;
  }
}

TEST(ClassPowerFit, AClassThatWasNotCalibratedHasWhatTheOthersLeave) {
  Data data = random_data(7, 500, 0.0, 0.05);
  data.priors = priors_for(data, 0.03);
  data.priors[2].reset();
  const ClassPowers powers = data.fit();
  double mean = 0.0;
  for (const double watts : data.watts) {
    mean += watts / 6.0;
  }
  EXPECT_NEAR(powers.watts[2], mean, 0.15 * mean);
  EXPECT_GT(error_of(powers, 2), error_of(powers, 1));
  EXPECT_NEAR(powers.watts[2], data.watts[2], 2.5 * error_of(powers, 2));
}

TEST(ClassPowerFit, WithACalibrationErrorsAreAsLargeAsClaimed) {
  Random random(8);
  double squares = 0.0;
  int count = 0;
  for (std::uint64_t seed = 200; seed < 260; ++seed) {
    Data data = random_data(seed, 200, 0.02, 0.1);
    std::vector<double> off;
    for (int work = 0; work < 6; ++work) {
      off.push_back(0.03 * random.normal());
    }
    data.priors = priors_for(data, 0.03, off);
    const ClassPowers powers = data.fit();
    for (std::size_t work = 0; work < 6; ++work) {
      const Difference found = difference(powers, work);
      const double z = (found.watts - true_difference(data, work)) / found.error;
      squares += z * z;
      ++count;
    }
  }
  EXPECT_LT(squares / count, 1.5);
  EXPECT_GT(squares / count, 0.4);
}

TEST(ClassPowerFit, KindsOfWorkOfOneGroupDeviateTogether) {
  Data data = random_data(9, 500, 0.0, 0.05);
  data.priors = priors_for(data, 0.03);
  data.priors[1]->group = 0;
  const ClassPowers powers = data.fit();
  const double together = powers.covariance(0, 1) / (error_of(powers, 0) * error_of(powers, 1));
  const double apart = powers.covariance(0, 2) / (error_of(powers, 0) * error_of(powers, 2));
  EXPECT_GT(together, 0.5);
  EXPECT_LT(apart, 0.1);
}

}  // namespace
}  // namespace enprof
