#include "profile/run_totals.hpp"

#include "enprof/base/units.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace enprof {
namespace {

/// What all of a figure's time took, with what was not measured at the mean power of the rest.
std::optional<Joules> whole_energy(const Figure& figure) {
  if (!figure.mean_power || figure.quality.coverage < kEnoughCoverage) {
    return std::nullopt;
  }
  return *figure.mean_power * figure.duration;
}

/// Null where there is no such phase, or no time in it.
const Figure* phase_figure(const ProfiledRun& run, Phase phase) {
  const auto found = std::ranges::find(run.phases, phase, &PhaseFigure::phase);
  return found == run.phases.end() || found->figure.duration <= Nanoseconds{0} ? nullptr
                                                                               : &found->figure;
}

void work_out_prefill(ProfiledRun& run) {
  Totals& totals = run.totals;
  const Figure* prefill = phase_figure(run, Phase::prefill);
  if (prefill == nullptr || totals.prompt_tokens == 0) {
    return;
  }
  const auto count = static_cast<double>(totals.prompt_tokens);
  totals.prefill_tokens_per_second = count / seconds(prefill->duration);
  if (const auto energy = whole_energy(*prefill)) {
    totals.energy_per_input_token = *energy / count;
  }
}

void work_out_decode(ProfiledRun& run) {
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
  const Figure* decode = phase_figure(run, Phase::decode);
  if (decode == nullptr || count == 0) {
    return;
  }
  totals.decode_tokens_per_second = static_cast<double>(count) / seconds(decode->duration);
  if (const auto energy = whole_energy(*decode)) {
    totals.energy_per_output_token = *energy / static_cast<double>(count);
  }
  if (with_energy > 0) {
    totals.edp_per_token_joule_seconds = edp / static_cast<double>(with_energy);
  }
}

}  // namespace

void work_out_totals(ProfiledRun& run) {
  Totals& totals = run.totals;
  totals.output_tokens = run.tokens.size();
  if (!run.tokens.empty()) {
    totals.time_to_first_token = run.tokens.front().begin + run.tokens.front().figure.duration;
  }
  work_out_prefill(run);
  work_out_decode(run);
  if (totals.energy_per_input_token && totals.energy_per_output_token &&
      totals.energy_per_input_token->value() > 0.0) {
    totals.output_to_input_ratio = *totals.energy_per_output_token / *totals.energy_per_input_token;
  }
  if (const auto whole = whole_energy(totals.figure)) {
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
