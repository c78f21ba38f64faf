// What is known of a run that a server is doing, from the events that it sends.
#pragma once

#include "enprof/base/units.hpp"

#include "report/json_figures.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// The state of the latest run, or of one that was asked for. Events in, facts out; what events
/// lack stays empty, whatever they hold. Threads: one at a time.
class LiveRun {
 public:
  /// One power domain.
  struct Rail {
    std::string name;
    std::optional<Watts> power;
    bool estimated = false;
    bool is_root = true;  ///< false: it lies within another, and is part of its power
  };
  /// A warning or an error.
  struct Complaint {
    std::string message;
    std::string hint;
    bool is_error = false;
  };

  /// From now on only this run, where else it is the latest.
  void want(std::string run_id) { wanted_ = std::move(run_id); }

  /// What GET /api/power/status answers: which domains are estimates, and which lie within others.
  void take_power_status(const Json& status);
  /// One event of the stream. False where it is of a run that was not asked for.
  bool take(const Json& event);

  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  /// waiting, loading, running, completed, cancelled, failed, or interrupted: the server ended.
  [[nodiscard]] const std::string& status() const { return status_; }
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] const std::string& model() const { return model_; }
  [[nodiscard]] std::optional<double> loading() const { return loading_; }  ///< 0–1
  [[nodiscard]] const std::string& phase() const { return phase_; }
  [[nodiscard]] const std::string& section() const { return section_; }
  [[nodiscard]] Nanoseconds time() const { return time_; }  ///< since the run began
  [[nodiscard]] std::size_t tokens() const { return token_count_; }
  /// Of the tokens after the first.
  [[nodiscard]] std::optional<double> tokens_per_second() const;
  /// Now; of a run that is over, its mean.
  [[nodiscard]] std::optional<Watts> power() const { return power_; }
  [[nodiscard]] std::optional<Joules> energy() const { return energy_; }
  /// Mean of the decoded tokens whose energy is known.
  [[nodiscard]] std::optional<Joules> joules_per_token() const;
  /// Whether a part of joules_per_token() is what was known at once, and will be put right.
  [[nodiscard]] bool is_provisional() const { return provisional_ > 0; }
  /// Whether a part of the power that adds up to the total is no measurement.
  [[nodiscard]] bool is_estimated() const;
  [[nodiscard]] const std::vector<Rail>& rails() const { return rails_; }
  /// The end of the response.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<Complaint>& complaints() const { return complaints_; }
  /// Events that the server forgot before they could be sent.
  [[nodiscard]] std::uint64_t missed() const { return missed_; }
  /// Whether the server began anew since, and with it what it knew: how much was missed is unknown.
  [[nodiscard]] bool restarted() const { return restarted_; }
  /// The number of the latest event, of whichever run; empty before the first.
  [[nodiscard]] std::optional<std::uint64_t> last_event() const { return last_event_; }

  static constexpr std::size_t kTextBytes = 8192;    ///< of text() that are kept, at least
  static constexpr std::size_t kComplaints = 20;     ///< the latest that are kept
  static constexpr std::size_t kTokens = 1'000'000;  ///< whose energies are kept

 private:
  struct Token {
    std::optional<double> energy_mj;
    bool decoded = false;
    bool provisional = false;
  };

  void begin(const std::string& run_id);
  void take_gap(const Json& data);
  void take_token(const Json& data);
  void take_settled(const Json& data);
  void take_power(const Json& data);
  void put_energy(Token& token, std::optional<double> energy_mj, bool provisional);
  Rail& rail(const std::string& name);

  std::string wanted_;
  std::string run_id_;
  std::string status_ = "waiting";
  std::string model_;
  std::optional<double> loading_;
  std::string phase_;
  std::string section_;
  Nanoseconds time_{0};
  std::size_t token_count_ = 0;
  Nanoseconds first_token_{0};
  Nanoseconds last_token_{0};
  std::optional<Watts> power_;
  std::optional<Joules> energy_;
  std::vector<Token> tokens_;
  double decoded_mj_ = 0.0;      // of the decoded tokens whose energy is known
  std::size_t decoded_ = 0;      // their number
  std::size_t provisional_ = 0;  // of them
  bool tokens_estimated_ = false;
  std::vector<Rail> rails_;
  std::string text_;
  std::vector<Complaint> complaints_;
  std::uint64_t missed_ = 0;
  bool restarted_ = false;
  std::optional<std::uint64_t> last_event_;
};

}  // namespace enprof
