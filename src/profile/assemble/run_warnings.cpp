#include "profile/assemble/run_warnings.hpp"

#include "base/counted.hpp"
#include "model/verdict_limits.hpp"
#include "profile/assemble/run_totals.hpp"
#include "profile/assemble/standstills.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr int kLongInIntervals = 10;  // a run of this many intervals was not too short for a window

class RunWarnings {
 public:
  RunWarnings(const RecordingView& recording, const PowerEvidence& power,
              const AssemblyFindings& findings, ProfiledRun& run)
      : recording_(recording),
        power_(power),
        findings_(findings),
        run_(run),
        begin_(recording.spans.front().begin),
        end_(recording.spans.front().end) {}

  void add() {
    add_power_and_span_warnings();
    add_pass_warnings();
  }

 private:
  void warn(std::string component, std::string code, std::string message, std::string hint = {}) {
    run_.warnings.push_back(
        {std::move(component), std::move(code), std::move(message), std::move(hint)});
  }

  /// The tokens during which the program stood still. The begin of a standstill is known only to
  /// within a period of the watch, and short tokens may have been made in that period: they do not
  /// count.
  [[nodiscard]] std::vector<std::size_t> tokens_with_standstill() const {
    std::vector<std::size_t> result;
    for (const TokenFigure& token : run_.tokens) {
      const Instant from = begin_ + token.begin;
      if (time_stood_still(power_.standstills, from, from + token.figure.duration) >
          StandstillWatch::kPeriod * 3 / 2) {
        result.push_back(token.index);
      }
    }
    return result;
  }

  void add_power_and_span_warnings() {
    const Figure& figure = run_.totals.figure;
    const Nanoseconds stood_still = time_stood_still(power_.standstills, begin_, end_);
    if (auto warning =
            standstill_warning(power_.standstills, begin_, end_, tokens_with_standstill())) {
      run_.warnings.push_back(*std::move(warning));
    }
    if (findings_.has_roots && !figure.total) {
      // A sensor that stopped before the run warned of it then; this run has no such warning.
      const bool is_short = figure.duration < kLongInIntervals * power_.interval;
      warn("power", "no_coverage", "No sensor reading falls into the run: its energy is unknown",
           is_short
               ? "Use a shorter --power-interval-ms, or profile a longer run (more tokens: -n)."
               : "The sensor gave no reading during the whole run. See the other "
                 "warnings, or check it with enprof doctor.");
    } else if (figure.total && coverage_while_running(figure, stood_still) < kFullCoverage) {
      warn("power", "low_coverage",
           fmt::format("Sensors covered {:.1f} % of the run; the energy of the rest is unknown and "
                       "not in the totals",
                       100.0 * coverage_while_running(figure, stood_still)),
           fmt::format("Ratios (energy per token, tokens per joule, EDP) assume the measured mean "
                       "power for the rest. Below {:g} % coverage there are no ratios.",
                       100.0 * kEnoughCoverage));
    }
    const auto is_above = [](Watts idle, Watts mean) {
      constexpr double kEqual = 0.01;  // a smaller relative difference does not show
      return idle.value() > (1.0 + kEqual) * mean.value();
    };
    if (figure.dynamic && figure.mean_power && is_above(findings_.idle_power, *figure.mean_power)) {
      warn("power", "baseline_above_run",
           fmt::format("The idle baseline ({:.2f} W) is above the run's mean power ({:.2f} W)",
                       findings_.idle_power.value(), figure.mean_power->value()),
           "The machine was busier before the run than during it. Wait until it is idle, or "
           "measure the baseline for longer: --baseline-s.");
    }
    if (const auto& foreign = figure.quality.foreign_cpu_share;
        foreign && *foreign > kMuchForeignLoad) {
      warn("power", "foreign_load",
           fmt::format(
               "Other processes used {:.1f} % of the machine's busy CPU time during the run: {}",
               100.0 * *foreign,
               figure.total ? "their energy is in these figures" : "they slowed it down"),
           "Stop them, and run again.");
    }
    if (findings_.rejected_windows > 0) {
      warn("power", "bad_windows",
           fmt::format("Left out: {} without a duration or without a finite energy",
                       counted(findings_.rejected_windows, "sensor reading")));
    }
    if (recording_.dropped_spans > 0) {
      warn(
          "profile", "dropped_spans",
          fmt::format("{} did not fit into the run's memory: that time counts for the spans around",
                      counted(recording_.dropped_spans, "span")),
          "Raise max_output_tokens or spans_per_token.");
    }
    if (recording_.dropped_text_bytes > 0) {
      warn("profile", "dropped_text",
           fmt::format("{} of token text did not fit into the run's memory",
                       counted(recording_.dropped_text_bytes, "byte")));
    }
    if (recording_.cut_spans > 0) {
      warn("profile", "spans_cut",
           fmt::format("Cut where the next phase began: {}, open until then",
                       counted(recording_.cut_spans, "span")),
           "Close the sections and tokens of a phase before the next phase begins.");
    }
    if (findings_.mended_spans > 0) {
      warn("profile", "mended_spans",
           fmt::format("Cut: {} that reached outside a parent or overlapped a sibling",
                       counted(findings_.mended_spans, "span")));
    }
  }

  void add_pass_warnings() {
    const PassRecordingView& passes = recording_.passes;
    const auto count = [&](PassState state) {
      return static_cast<std::size_t>(std::ranges::count(passes.passes, state, &PassRecord::state));
    };
    if (const std::size_t mismatched = count(PassState::mismatched); mismatched > 0) {
      warn("profile", "mismatched_passes",
           fmt::format("{} of {} passes did not follow their plan: the times and energies of their "
                       "operations are unknown",
                       mismatched, passes.passes.size()));
    }
    if (const std::size_t dropped = count(PassState::dropped); dropped > 0) {
      warn("profile", "dropped_passes",
           fmt::format("{} of {} passes did not fit into the run's memory: the times and energies "
                       "of their operations are unknown",
                       dropped, passes.passes.size()),
           "Profile fewer tokens with -n, or raise max_operations.");
    }
    if (passes.lost_passes > 0) {
      warn("profile", "lost_passes",
           fmt::format("Passes that did not fit into the run's memory: {}. Their time counts only "
                       "for their sections",
                       passes.lost_passes),
           "Raise max_output_tokens.");
    }
    if (passes.lost_sequences > 0) {
      warn(
          "profile", "lost_sequences",
          fmt::format("Sequences of batches that did not fit into the run's memory: {}. The energy "
                      "of their passes cannot be divided among them",
                      passes.lost_sequences),
          "Raise max_output_tokens.");
    }
  }

  const RecordingView& recording_;
  const PowerEvidence& power_;
  const AssemblyFindings& findings_;
  ProfiledRun& run_;
  Instant begin_;
  Instant end_;
};

}  // namespace

void add_figure_warnings(const RecordingView& recording, const PowerEvidence& power,
                         const AssemblyFindings& findings, ProfiledRun& run) {
  RunWarnings(recording, power, findings, run).add();
}

}  // namespace enprof
