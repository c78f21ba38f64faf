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

  /// Watches from beginning to end, over as many connections as needed.
  [[nodiscard]] Result<void> watch(LiveRun& run, Output& output, const Interrupt& interrupt);
  /// Asks the server which run the name stands for, and whether it has ended.
  [[nodiscard]] Result<void> find_run(LiveRun& run, const Interrupt& interrupt);
  /// Asks the server whose it is.
  [[nodiscard]] Result<void> find_program(const Interrupt& interrupt);
  /// Whether the run has, and its server ends with it.
  [[nodiscard]] bool has_ended(const LiveRun& run) const;
  /// Asks for the present state, then opens the stream.
  [[nodiscard]] Result<std::unique_ptr<LiveClient>> connect(LiveRun& run,
                                                            const Interrupt& interrupt);
  /// Outputs events until the connection ends. True if the watch is complete; otherwise `lost` is
  /// the reason.
  [[nodiscard]] bool forward_events(LiveClient& client, LiveRun& run, Output& output,
                                    const Interrupt& interrupt, Error& lost);
  [[nodiscard]] std::string subscription() const;

  std::string url_text_ = "http://127.0.0.1:8000";
  std::string token_;
  std::string run_name_;
  std::optional<std::uint64_t> since_;
  bool json_ = false;
  bool wait_ = false;

  LiveClient::Options options_;
  std::string run_id_;  // the id for run_name_, once the server has found it
  bool on_screen_ = false;
  bool is_of_a_command_ = false;  // it is the server of `enprof exec`, which ends with its command
  bool was_over_ = false;         // whether the chosen run had already ended when we connected
};

}  // namespace enprof
