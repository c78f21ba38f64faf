// enprof watch
#pragma once

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/live_run.hpp"
#include "server/live_client.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace enprof {

class WatchCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  class Output;
  class ScreenOutput;
  class LineOutput;

  /// One watch from begin to end, through as many connections as it takes.
  [[nodiscard]] Result<void> watch(LiveRun& run, Output& output, const Interrupt& interrupt);
  /// Asks the server which run is meant, and whether that is over.
  [[nodiscard]] Result<void> find_run(LiveRun& run, const Interrupt& interrupt);
  /// Asks what the server has, then opens the stream.
  [[nodiscard]] Result<std::unique_ptr<LiveClient>> connect(LiveRun& run,
                                                            const Interrupt& interrupt);
  /// Hands events on until the connection ends. True where the watch is over, else `lost` says why.
  [[nodiscard]] bool follow(LiveClient& client, LiveRun& run, Output& output,
                            const Interrupt& interrupt, Error& lost);
  [[nodiscard]] std::string subscription() const;

  std::string url_text_ = "http://127.0.0.1:8000";
  std::string token_;
  std::string run_name_;
  std::optional<std::uint64_t> since_;
  bool json_ = false;
  bool wait_ = false;

  LiveClient::Options options_;
  std::string run_id_;  // that run_name_ means, once the server has said so
  bool on_screen_ = false;
  bool was_over_ = false;  // the run that was asked for, when we connected
};

}  // namespace enprof
