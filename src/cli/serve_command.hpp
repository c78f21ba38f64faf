// enprof serve
#pragma once

#include "cli/command.hpp"
#include "cli/engine_options.hpp"
#include "cli/server_options.hpp"
#include "cli/shared_options.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "session/session_power.hpp"

#include <cstddef>
#include <string>

namespace enprof {

class ServeCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  /// `queue` is set before it is used.
  [[nodiscard]] SessionPower::Options power_options(const RunQueue* const& queue,
                                                    ServerHealth& health) const;

  DatabaseOption database_;
  ServerOptions server_;
  std::string models_dir_ = ".";
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
