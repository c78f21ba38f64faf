#include "power/sensor_accuracy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace enprof {
namespace {

Domain domain_of(const std::string& source, const std::string& name) {
  Domain domain = domain_from_name(name);
  domain.source = source;
  return domain;
}

TEST(SensorAccuracy, LimitsOfAMakerAreAUniformDistribution) {
  EXPECT_NEAR(*published_uncertainty(domain_of("nvml", "gpu-0")), 0.05 / std::sqrt(3.0), 1e-12);
}

TEST(SensorAccuracy, APackageIsKnownBetterThanItsPartsAndItsMemory) {
  const double package = *published_uncertainty(domain_of("rapl", "package-0"));
  EXPECT_LT(package, *published_uncertainty(domain_of("rapl", "core-0")));
  EXPECT_LT(package, *published_uncertainty(domain_of("rapl", "dram-0")));
}

TEST(SensorAccuracy, WithoutAPublishedFigureItIsNotKnown) {
  EXPECT_FALSE(published_uncertainty(domain_of("powermetrics", "cpu")));
  EXPECT_FALSE(published_uncertainty(domain_of("hwmon", "gpu-0")));
  EXPECT_FALSE(published_uncertainty(domain_of("battery", "psys")));
  EXPECT_FALSE(published_uncertainty(domain_of("replay", "package-0")));
}

TEST(SensorAccuracy, AnEstimateHasNone) {
  Domain estimate = domain_of("rapl", "package-0");
  estimate.method = Method::estimated;
  EXPECT_FALSE(published_uncertainty(estimate));
}

}  // namespace
}  // namespace enprof
