// enprof serve
#pragma once

#include "cli/command.hpp"
#include "cli/engine_options.hpp"
#include "cli/shared_options.hpp"
#include "server/access_policy.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "session/session_power.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

class ServeCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> choose_token();
  [[nodiscard]] Result<std::vector<AccessPolicy::Host>> allowed_hosts() const;
  /// Prints the URLs of the server, with the token.
  void print_addresses(std::uint16_t port) const;
  /// `queue` is set before it is used.
  [[nodiscard]] SessionPower::Options power_options(const RunQueue* const& queue,
                                                    ServerHealth& health) const;

  DatabaseOption database_;
  std::string host_ = "127.0.0.1";
  std::uint16_t port_ = 8000;
  std::string models_dir_ = ".";
  std::string token_;
  std::vector<std::string> allowed_hosts_;
  std::string power_ = "auto";
  PowerIntervalOption power_interval_;
  SensorAccuracyOption sensor_accuracy_;
  double baseline_s_ = 2.0;
  bool baseline_force_ = false;
  bool no_calibration_ = false;
  int threads_ = 0;
  EngineOptions engine_settings_;
  std::size_t queue_ = 16;
};

}  // namespace enprof
