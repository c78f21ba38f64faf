#include "profile/assemble/run_totals.hpp"

#include "enprof/base/units.hpp"

#include "model/context_fill.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace enprof {
namespace {

/// How long the program stood still during parts of the run.
class StoodStill {
 public:
  StoodStill(const std::vector<Standstill>& standstills, Instant begin)
      : standstills_(standstills), begin_(begin) {}
  [[nodiscard]] Nanoseconds in(const PhaseFigure& phase) const {
    return within(phase.begin, phase.figure.duration);
  }
  [[nodiscard]] Nanoseconds in_run(const ProfiledRun& run) const {
    return within(Nanoseconds{0}, run.totals.figure.duration);
  }

 private:
  [[nodiscard]] Nanoseconds within(Nanoseconds begin, Nanoseconds duration) const {
    return time_stood_still(standstills_, begin_ + begin, begin_ + begin + duration);
  }

  const std::vector<Standstill>& standstills_;
  Instant begin_;
};

/// The energy of all of a figure's time; time that was not measured is taken at the mean power.
/// Empty if the coverage is too low.
std::optional<Joules> whole_energy(const Figure& figure, Nanoseconds stood_still) {
  if (!figure.mean_power || coverage_while_running(figure, stood_still) < kEnoughCoverage) {
    return std::nullopt;
  }
  return *figure.mean_power * (figure.duration - stood_still);
}

/// The uncertainty of a phase's energy per token, which has the phase's relative uncertainty.
std::optional<Joules> token_uncertainty(const Figure& phase, Joules per_token) {
  const auto& uncertainty = phase.quality.standard_uncertainty;
  return uncertainty && phase.total && phase.total->value() > 0.0
             ? std::optional{per_token * (*uncertainty / *phase.total)}
             : std::nullopt;
}

/// Null if the run has no such phase, or if the phase has no duration.
const PhaseFigure* find_phase(const ProfiledRun& run, Phase phase) {
  const auto found = std::ranges::find(run.phases, phase, &PhaseFigure::phase);
  return found == run.phases.end() || found->figure.duration <= Nanoseconds{0} ? nullptr : &*found;
}

void compute_prefill_totals(ProfiledRun& run, const StoodStill& stood_still) {
  Totals& totals = run.totals;
  const PhaseFigure* prefill = find_phase(run, Phase::prefill);
  if (prefill == nullptr || totals.prompt_tokens == 0) {
    return;
  }
  if (run.tokens.empty() && run.status != RunStatus::completed) {
    return;  // it ended during the prompt: the number of tokens that it read is unknown
  }
  const auto count = static_cast<double>(totals.prompt_tokens);
  totals.prefill_tokens_per_second = count / seconds(prefill->figure.duration);
  if (const auto energy = whole_energy(prefill->figure, stood_still.in(*prefill))) {
    totals.energy_per_input_token = *energy / count;
    totals.energy_per_input_token_uncertainty =
        token_uncertainty(prefill->figure, *totals.energy_per_input_token);
  }
}

void compute_decode_totals(ProfiledRun& run, const StoodStill& stood_still) {
  Totals& totals = run.totals;
  std::size_t count = 0;
  std::size_t with_energy = 0;
  double edp = 0.0;
  for (const TokenFigure& token : run.tokens) {
    if (token.phase != Phase::decode) {
      continue;
    }
    ++count;
    if (token.figure.total) {
      edp += token.figure.total->value() * seconds(token.figure.duration);
      ++with_energy;
    }
  }
  const PhaseFigure* decode = find_phase(run, Phase::decode);
  if (decode == nullptr || count == 0) {
    return;
  }
  totals.decode_tokens_per_second = static_cast<double>(count) / seconds(decode->figure.duration);
  if (const auto energy = whole_energy(decode->figure, stood_still.in(*decode))) {
    totals.energy_per_output_token = *energy / static_cast<double>(count);
    totals.energy_per_output_token_uncertainty =
        token_uncertainty(decode->figure, *totals.energy_per_output_token);
  }
  if (with_energy > 0) {
    totals.edp_per_token_joule_seconds = edp / static_cast<double>(with_energy);
  }
}

}  // namespace

double coverage_while_running(const Figure& figure, Nanoseconds stood_still) {
  const Nanoseconds ran = figure.duration - stood_still;
  if (ran <= Nanoseconds{0}) {
    return 0.0;
  }
  return std::min(figure.quality.coverage * (seconds(figure.duration) / seconds(ran)), 1.0);
}

void compute_totals(ProfiledRun& run, const std::vector<Standstill>& standstills, Instant begin) {
  const StoodStill stood_still(standstills, begin);
  Totals& totals = run.totals;
  totals.output_tokens = run.tokens.size();
  if (!run.tokens.empty()) {
    const auto filling = std::ranges::find(run.sections, kContextFillSection, &SectionFigure::name);
    totals.time_to_first_token =
        run.tokens.front().begin + run.tokens.front().figure.duration -
        (filling != run.sections.end() ? filling->figure.duration : Nanoseconds{0});
  }
  compute_prefill_totals(run, stood_still);
  compute_decode_totals(run, stood_still);
  if (totals.energy_per_input_token && totals.energy_per_output_token &&
      totals.energy_per_input_token->value() > 0.0) {
    totals.output_to_input_ratio = *totals.energy_per_output_token / *totals.energy_per_input_token;
  }
  if (const auto whole = whole_energy(totals.figure, stood_still.in_run(run))) {
    if (whole->value() > 0.0 && totals.output_tokens > 0) {
      totals.tokens_per_joule = static_cast<double>(totals.output_tokens) / whole->value();
    }
    totals.edp_joule_seconds = whole->value() * seconds(totals.figure.duration);
  }
  if (totals.figure.total) {
    totals.cost_usd = to_kwh(*totals.figure.total) * totals.economics.price_usd_per_kwh;
    totals.co2_grams = to_kwh(*totals.figure.total) * totals.economics.carbon_g_per_kwh;
  }
}

}  // namespace enprof
