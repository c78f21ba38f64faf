#include "profile/run_id.hpp"

#include <fmt/format.h>

#include <random>

namespace enprof {

std::string make_run_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace enprof
