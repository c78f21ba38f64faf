// The state of a server's run, computed from the events that the server sends.
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

/// The state of the latest run, or of a chosen one. Whatever events contain, a fact that they lack
/// stays empty. Threads: one at a time.
class LiveRun {
 public:
  /// One power domain.
  struct Rail {
    std::string name;
    std::optional<Watts> power;
    bool estimated = false;
    bool is_root = true;  ///< false: it is contained in another domain
  };
  /// A warning or an error.
  struct Complaint {
    std::string message;
    std::string hint;
    bool is_error = false;
  };

  /// A request in flight, as the server has told.
  struct Request {
    std::size_t number = 0;
    std::optional<std::size_t> sequence;
    std::size_t prompt_tokens = 0;
    std::size_t output_tokens = 0;
    std::optional<Nanoseconds> begin;        ///< since the run began
    std::optional<Nanoseconds> first_token;  ///< since its own begin
  };
  /// The requests of a program that is measured.
  struct Requests {
    std::size_t begun = 0;
    std::size_t in_flight = 0;
    std::size_t passes = 0;
    std::size_t output_tokens = 0;
    std::optional<double> tokens_per_second;
    std::optional<double> mean_sequences;  ///< in a pass
    std::optional<Joules> energy_per_token;
    std::vector<Request> running;  ///< of those in flight, as many as the server lists
  };

  /// Follows only this run from now on, instead of the latest.
  void select_run(std::string run_id) { selected_ = std::move(run_id); }

  /// Reads the answer to GET /api/power/status: which domains are estimated, and which are
  /// contained in others.
  void apply_power_status(const Json& status);
  /// Applies an event of the stream. False if it belongs to a run that was not chosen.
  bool apply(const Json& event);

  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  /// waiting, loading, running, completed, cancelled, failed, or interrupted (the server ended).
  [[nodiscard]] const std::string& status() const { return status_; }
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] const std::string& model() const { return model_; }
  [[nodiscard]] std::optional<double> loading() const { return loading_; }  ///< 0–1
  [[nodiscard]] const std::string& phase() const { return phase_; }
  [[nodiscard]] const std::string& section() const { return section_; }
  [[nodiscard]] Nanoseconds time() const { return time_; }  ///< since the run began
  [[nodiscard]] std::size_t tokens() const { return token_count_; }
  /// Over the tokens after the first.
  [[nodiscard]] std::optional<double> tokens_per_second() const;
  /// The present power; for a run that has ended, its mean.
  [[nodiscard]] std::optional<Watts> power() const { return power_; }
  [[nodiscard]] std::optional<Joules> energy() const { return energy_; }
  /// The mean over decoded tokens with known energy.
  [[nodiscard]] std::optional<Joules> joules_per_token() const;
  /// Whether joules_per_token() contains provisional energies.
  [[nodiscard]] bool is_provisional() const { return provisional_ > 0; }
  /// Whether the power of a root domain is estimated.
  [[nodiscard]] bool is_estimated() const;
  [[nodiscard]] const std::vector<Rail>& rails() const { return rails_; }
  /// Empty unless the run is that of a program whose requests are known.
  [[nodiscard]] const std::optional<Requests>& requests() const { return requests_; }
  /// The last part of the response.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<Complaint>& complaints() const { return complaints_; }
  /// Events that the server dropped before they could be sent.
  [[nodiscard]] std::uint64_t missed() const { return missed_; }
  /// Whether the server was restarted meanwhile, so that the number of missed events is unknown.
  [[nodiscard]] bool restarted() const { return restarted_; }
  /// The number of the latest event of any run; empty before the first.
  [[nodiscard]] std::optional<std::uint64_t> last_event() const { return last_event_; }

  static constexpr std::size_t kTextBytes = 8192;    ///< minimum of text() that is kept
  static constexpr std::size_t kComplaints = 20;     ///< the latest that are kept
  static constexpr std::size_t kTokens = 1'000'000;  ///< with stored energies

 private:
  struct Token {
    std::optional<double> energy_mj;
    bool decoded = false;
    bool provisional = false;
  };

  void begin(const std::string& run_id);
  void apply_gap(const Json& data);
  void apply_token(const Json& data);
  void apply_settled(const Json& data);
  void apply_power(const Json& data);
  void apply_requests(const Json& data);
  void set_energy(Token& token, std::optional<double> energy_mj, bool provisional);
  Rail& rail(const std::string& name);

  std::string selected_;
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
  double decoded_mj_ = 0.0;      // sum over decoded tokens with known energy
  std::size_t decoded_ = 0;      // their number
  std::size_t provisional_ = 0;  // how many of them are provisional
  bool tokens_estimated_ = false;
  std::vector<Rail> rails_;
  std::optional<Requests> requests_;
  std::string text_;
  std::vector<Complaint> complaints_;
  std::uint64_t missed_ = 0;
  bool restarted_ = false;
  std::optional<std::uint64_t> last_event_;
};

}  // namespace enprof
