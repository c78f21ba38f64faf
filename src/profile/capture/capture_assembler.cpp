#include "profile/capture/capture_assembler.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "profile/assemble/run_totals.hpp"
#include "profile/capture/capture_division.hpp"
#include "profile/capture/capture_pieces.hpp"
#include "profile/capture/request_texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 3> kNames{"run", "pass", "passes at once"};

/// The spans of a capture: the run, and a section for each piece. A piece that is a whole pass has
/// that pass in it.
class CaptureSpans {
 public:
  CaptureSpans(const CaptureRecording& recording, const CaptureRequests& found,
               const std::vector<CapturePiece>& pieces, const Span& whole)
      : passes_(recording.passes.view()) {
    names_.assign(kNames.begin(), kNames.end());
    for (std::size_t part = 0; part < kPartKinds; ++part) {
      names_.push_back(to_string(static_cast<CapturePartKind>(part)));
    }
    spans_.push_back({.begin = whole.begin, .end = whole.end, .level = Level::run});
    for (const CapturePiece& piece : pieces) {
      Span span{.begin = piece.begin, .end = piece.end, .parent = 0, .level = Level::section};
      span.name = static_cast<std::uint16_t>(kNames.size() + static_cast<std::size_t>(piece.part));
      if (!piece.passes.empty()) {
        span.name = piece.passes.size() == 1 ? 1 : 2;
        span.phase = phase_of(piece, found);
      }
      spans_.push_back(span);
      if (piece.passes.size() == 1) {
        add_pass(piece);
      }
    }
  }

  [[nodiscard]] RecordingView view() const {
    RecordingView view{.spans = spans_, .names = names_, .token_texts = {}, .passes = passes_};
    view.passes.passes = records_;
    return view;
  }

 private:
  /// Prefill and decode draw different power: a pass with a part of a prompt counts as prefill.
  [[nodiscard]] Phase phase_of(const CapturePiece& piece, const CaptureRequests& found) const {
    for (const std::uint32_t number : piece.passes) {
      const PassRecord& pass = passes_.passes[number];
      for (std::size_t place = 0; place < pass.sequence_count; ++place) {
        if (found.owner(pass, place).is_prompt) {
          return Phase::prefill;
        }
      }
    }
    return Phase::decode;
  }

  void add_pass(const CapturePiece& piece) {
    PassRecord pass = passes_.passes[piece.passes.front()];
    pass.place = {.parent = static_cast<std::int32_t>(spans_.size()) - 1,
                  .spans_before = static_cast<std::uint32_t>(spans_.size())};
    const bool has_plan = pass.plan < passes_.plans.size() && passes_.plans[pass.plan] != nullptr;
    const bool is_whole =
        piece.is_whole_pass && pass.start >= pass.begin && has_plan &&
        passes_.stamps_of(pass).size() == passes_.plans[pass.plan]->operations.size();
    if (!is_whole && pass.state == PassState::complete) {
      pass.state = PassState::mismatched;
    }
    pass.begin = piece.begin;
    pass.end = piece.end;
    records_.push_back(pass);
  }

  PassRecordingView passes_;
  std::vector<std::string_view> names_;
  std::vector<Span> spans_;
  std::vector<PassRecord> records_;
};

/// Figures of the requests, from their shares.
class RequestRuns {
 public:
  RequestRuns(const CaptureRecording& recording, const CaptureRequests& found,
              std::span<const CapturedContext> contexts, const CaptureDivision& division,
              const PowerEvidence& power, const Span& whole, const ProfiledRun& capture)
      : recording_(recording),
        passes_(recording.passes.passes),
        found_(found),
        contexts_(contexts),
        division_(division),
        power_(power),
        begin_(whole.begin),
        capture_(capture),
        texts_(texts_of(recording, found.requests)) {
    for (const ComponentFigure& component : capture.components) {
      if (component.figure.total && component.figure.quality.standard_error) {
        auto& [energy, error] = errors_[{component.layer, component.component}];
        energy += component.figure.total->value();
        error = std::hypot(error, component.figure.quality.standard_error->value());
      }
    }
    for (std::size_t request = 0; request < found.requests.size(); ++request) {
      for (std::uint32_t stage = 0; stage < kStages; ++stage) {
        for (const EnergyShare& share : division.shares(request, stage)) {
          all_j_ += share.energy.value();
        }
      }
    }
  }

  [[nodiscard]] ProfiledRun make(std::size_t index) const {
    const FoundRequest& found = found_.requests[index];
    ProfiledRun run;
    run.capture_id = capture_.run_id;
    run.status = RunStatus::completed;
    run.depth = capture_.depth;
    run.tags = capture_.tags;
    run.totals.economics = capture_.totals.economics;
    run.calibration = capture_.calibration;
    // What disturbed the machine or its sensors disturbed the request.
    std::ranges::copy_if(capture_.warnings, std::back_inserter(run.warnings),
                         [](const Warning& warning) {
                           return warning.component == "machine" || warning.component == "power";
                         });
    const Instant begin = passes_[found.parts.front().pass].begin;
    const Instant end = passes_[found.parts.back().pass].end;
    run.started_at =
        capture_.started_at + std::chrono::floor<std::chrono::milliseconds>(begin - begin_);
    set_model(found, run);
    if (!texts_.empty()) {
      run.prompt = texts_[index].prompt;
      for (const std::string& text : texts_[index].outputs) {
        run.response += text;
      }
    }

    // The pass that made the first token ends the prompt.
    const auto first = std::ranges::find_if(
        found.parts, [](const RequestPart& part) { return part.outputs > 0 || !part.is_prompt; });
    const Instant prompt_end = first == found.parts.end() ? end : passes_[first->pass].end;
    run.totals.figure = figure_of(index, {0, 1}, end - begin);
    add_phase(run, Phase::prefill, Nanoseconds{0}, figure_of(index, {0}, prompt_end - begin));
    if (end > prompt_end) {
      add_phase(run, Phase::decode, prompt_end - begin, figure_of(index, {1}, end - prompt_end));
    }
    run.totals.figure.quality.foreign_cpu_share = foreign_cpu_share(power_.cpu, begin, end);
    add_tokens(index, begin, run);
    add_components(index, run);
    add_power(index, run);
    run.totals.prompt_tokens = found.prompt_tokens;  // those that were computed
    compute_totals(run, power_.standstills, begin);
    run.totals.prompt_tokens += found.cached_tokens;
    run.finish_reason.clear();
    set_request(index, begin, run);
    judge_run(run);
    return run;
  }

 private:
  void set_model(const FoundRequest& found, ProfiledRun& run) const {
    run.model = capture_.model;
    run.model.path.clear();
    if (found.context < contexts_.size() &&
        contexts_[found.context].model < recording_.models.size()) {
      run.model = recording_.models[contexts_[found.context].model].facts;
    }
  }

  /// A request's share of these stages, over the time that passed meanwhile.
  [[nodiscard]] Figure figure_of(std::size_t request, std::initializer_list<std::uint32_t> stages,
                                 Nanoseconds duration) const {
    FigureBuilder builder(division_.roots());
    double modelled_j = 0.0;
    double between_j2 = 0.0;
    for (const std::uint32_t stage : stages) {
      const std::vector<EnergyShare>& shares = division_.shares(request, stage);
      builder.add(own_time(request, stage), shares, 1);
      modelled_j += division_.sums(request).modelled_error_j[stage];
      between_j2 += division_.sums(request).between_variance_j2[stage];
    }
    Figure figure = builder.build();
    figure.duration = duration;
    if (figure.quality.method == Method::measured) {
      figure.quality.method = Method::attributed;  // it has parts of windows
    }
    if (figure.total && duration > Nanoseconds{0} && figure.quality.coverage > 0.0) {
      figure.mean_power = *figure.total / duration / figure.quality.coverage;
    } else {
      figure.mean_power.reset();
    }
    for (auto* error :
         {&figure.quality.standard_error, &figure.quality.dynamic_standard_error,
          &figure.quality.standard_uncertainty, &figure.quality.dynamic_standard_uncertainty}) {
      if (*error) {
        **error = Joules{std::hypot((*error)->value(), modelled_j, std::sqrt(between_j2))};
      }
    }
    return figure;
  }

  [[nodiscard]] Nanoseconds own_time(std::size_t request, std::uint32_t stage) const {
    return Nanoseconds{std::llround(1e9 * division_.sums(request).own_s[stage])};
  }

  static void add_phase(ProfiledRun& run, Phase phase, Nanoseconds begin, Figure figure) {
    run.phases.push_back({.phase = phase, .begin = begin, .figure = std::move(figure)});
  }

  /// The first token comes out of the prompt's last pass, whose energy is the prompt's: it has none
  /// of its own. Tokens of one pass (an accepted draft) have even parts of it.
  void add_tokens(std::size_t index, Instant begin, ProfiledRun& run) const {
    const FoundRequest& found = found_.requests[index];
    const RequestSums& sums = division_.sums(index);
    for (std::size_t number = 0; number < found.parts.size(); ++number) {
      const RequestPart& part = found.parts[number];
      const PassRecord& pass = passes_[part.pass];
      for (std::uint32_t output = 0; output < part.outputs; ++output) {
        TokenFigure token{.index = run.tokens.size(),
                          .text = {},
                          .phase = part.is_prompt ? Phase::prefill : Phase::decode,
                          .begin = (part.is_prompt ? pass.end : pass.begin) - begin,
                          .figure = {}};
        if (!part.is_prompt) {
          const Nanoseconds each = (pass.end - pass.begin) / part.outputs;
          token.begin += output * each;
          token.figure = small_figure(sums.part_j[number] / part.outputs, each, run);
        }
        if (!texts_.empty() && token.index < texts_[index].outputs.size()) {
          token.text = texts_[index].outputs[token.index];
        }
        run.tokens.push_back(std::move(token));
      }
    }
  }

  /// A part of a request, whose relative error is that of the whole decode phase or component.
  [[nodiscard]] Figure small_figure(double energy_j, Nanoseconds duration,
                                    const ProfiledRun& run) const {
    Figure figure;
    figure.duration = duration;
    const Figure& whole = run.totals.figure;
    figure.quality.sensor = whole.quality.sensor;
    figure.quality.method = whole.quality.method;
    figure.quality.coverage = whole.quality.coverage;
    if (!whole.total) {
      return figure;
    }
    if (figure.quality.method == Method::measured) {
      figure.quality.method = Method::attributed;
    }
    figure.total = Joules{energy_j};
    if (duration > Nanoseconds{0}) {
      figure.mean_power = *figure.total / duration;
    }
    return figure;
  }

  void add_components(std::size_t index, ProfiledRun& run) const {
    const RequestSums& sums = division_.sums(index);
    std::map<std::pair<Phase, std::int32_t>, LayerFigure> layers;
    for (std::size_t at = 0; at < sums.components.size(); ++at) {
      const ComponentShare& share = sums.components[at];
      if (share.spans == 0) {
        continue;
      }
      const auto& [layer, component] = division_.component_keys()[at / kStages];
      const Phase phase = at % kStages == 0 ? Phase::prefill : Phase::decode;
      ComponentFigure figure{
          .phase = phase,
          .layer = layer,
          .component = component,
          .count = share.spans,
          .figure = small_figure(share.energy_j, from_ms(1e3 * share.duration_s), run),
          .flops = share.flops,
          .bytes = share.bytes};
      double error = 0.0;
      if (const auto found = errors_.find({layer, component});
          figure.figure.total && found != errors_.end() && found->second.first > 0.0) {
        error = std::abs(share.energy_j) * found->second.second / found->second.first;
        figure.figure.quality.standard_error = Joules{error};
      }
      LayerFigure& sum = layers[{phase, layer}];
      sum.phase = phase;
      sum.layer = layer;
      sum.count = std::max(sum.count, share.spans);
      const Nanoseconds duration = sum.figure.duration + figure.figure.duration;
      const double energy_j = (sum.figure.total ? sum.figure.total->value() : 0.0) + share.energy_j;
      const double before = sum.figure.quality.standard_error.value_or(Joules{0}).value();
      sum.figure = small_figure(energy_j, duration, run);
      if (sum.figure.total) {
        sum.figure.quality.standard_error = Joules{std::hypot(before, error)};
      }
      run.components.push_back(std::move(figure));
    }
    for (auto& [key, layer] : layers) {
      run.layers.push_back(std::move(layer));
    }
    std::ranges::stable_sort(run.components, [](const auto& a, const auto& b) {
      return std::tuple{a.phase, a.layer, -a.figure.total.value_or(Joules{0}).value()} <
             std::tuple{b.phase, b.layer, -b.figure.total.value_or(Joules{0}).value()};
    });
  }

  /// The root domains, each with what the request has of it.
  void add_power(std::size_t index, ProfiledRun& run) const {
    run.power.sources = capture_.power.sources;
    run.power.interval = capture_.power.interval;
    run.power.baseline = capture_.power.baseline;
    const std::span<const RootDomain> roots = division_.roots();
    for (std::size_t root = 0; root < roots.size(); ++root) {
      FigureBuilder builder(roots.subspan(root, 1));
      for (std::uint32_t stage = 0; stage < kStages; ++stage) {
        const std::vector<EnergyShare>& shares = division_.shares(index, stage);
        builder.add(own_time(index, stage), std::span(shares).subspan(root, 1), 1);
      }
      DomainFigure domain{.domain = *roots[root].domain,
                          .figure = builder.build(),
                          .idle_power = roots[root].idle_power,
                          .idle_spread = {}};
      domain.domain.parent.reset();
      domain.figure.duration = run.totals.figure.duration;
      domain.figure.mean_power.reset();
      run.power.domains.push_back(std::move(domain));
    }
  }

  void set_request(std::size_t index, Instant begin, ProfiledRun& run) const {
    const FoundRequest& found = found_.requests[index];
    const RequestSums& sums = division_.sums(index);
    RequestFigures request;
    request.number = index + 1;
    request.sequence = found.sequence;
    request.begin = begin - begin_;
    request.cached_tokens = found.cached_tokens;
    request.rejected_tokens = found.rejected_tokens;
    request.context_shifts = found.context_shifts;
    request.passes = found.parts.size();
    if (sums.pass_s > 0.0) {
      request.mean_sequences = sums.sequence_s / sums.pass_s;
    }
    request.how_found = found.how;
    if (run.totals.figure.total) {
      const auto& [usual, low, high] = sums.marginal_j;
      const double spread =
          (std::max({usual, low, high}) - std::min({usual, low, high})) / std::sqrt(12.0);
      request.marginal = Joules{usual};
      if (const auto& error = run.totals.figure.quality.standard_uncertainty;
          error && run.totals.figure.total->value() > 0.0) {
        request.marginal_uncertainty =
            Joules{std::hypot(spread, usual * (*error / *run.totals.figure.total))};
      }
      const Figure idle =
          division_.part_figure(static_cast<std::size_t>(CapturePartKind::idle_while_loaded));
      if (idle.total && all_j_ > 0.0) {
        request.idle_share = *idle.total * (run.totals.figure.total->value() / all_j_);
      }
    }
    run.request = std::move(request);
  }

  const CaptureRecording& recording_;
  const std::vector<PassRecord>& passes_;
  const CaptureRequests& found_;
  std::span<const CapturedContext> contexts_;
  const CaptureDivision& division_;
  const PowerEvidence& power_;
  Instant begin_;
  const ProfiledRun& capture_;
  std::vector<RequestText> texts_;  // by request; empty: not known
  std::map<std::pair<std::int32_t, std::string>, std::pair<double, double>> errors_;
  double all_j_ = 0.0;  // of all requests
};

std::size_t most_in_flight(const CaptureRecording& recording, const CaptureRequests& found) {
  std::vector<std::pair<Instant, int>> edges;
  for (const FoundRequest& request : found.requests) {
    edges.emplace_back(recording.passes.passes[request.parts.front().pass].begin, 1);
    edges.emplace_back(recording.passes.passes[request.parts.back().pass].end, -1);
  }
  std::ranges::sort(edges);  // at one instant, ends come first
  int now = 0;
  int most = 0;
  for (const auto& [at, step] : edges) {
    now += step;
    most = std::max(most, now);
  }
  return static_cast<std::size_t>(most);
}

CaptureFigures figures_of(const CaptureRecording& recording, const CaptureRequests& found,
                          const CaptureDivision& division) {
  CaptureFigures figures;
  figures.requests = found.requests.size();
  figures.passes = recording.passes.passes.size();
  figures.most_in_flight = most_in_flight(recording, found);
  double sequence_s = 0.0;
  double pass_s = 0.0;
  for (const auto& [sequences, occupancy] : division.occupancy()) {
    figures.occupancy.push_back(occupancy);
    sequence_s += seconds(occupancy.duration) * static_cast<double>(sequences);
    pass_s += seconds(occupancy.duration);
  }
  if (pass_s > 0.0) {
    figures.mean_sequences = sequence_s / pass_s;
  }
  const std::string_view modelled = division.knows_models() ? "modelled work" : "tokens";
  figures.sharing = division.modelled_passes() == 0 && division.operation_passes() > 0
                        ? "operations"
                    : division.operation_passes() == 0
                        ? std::string{modelled}
                        : fmt::format("operations; {} of {} passes by {}",
                                      division.modelled_passes(), figures.passes, modelled);
  for (std::size_t part = 0; part < kPartKinds; ++part) {
    if (const std::size_t pieces = division.pieces_of_part(part); pieces > 0) {
      const auto kind = static_cast<CapturePartKind>(part);
      figures.parts.push_back(
          {.kind = kind,
           .count = kind == CapturePartKind::requests ? found.requests.size() : pieces,
           .figure = division.part_figure(part)});
    }
  }
  return figures;
}

}  // namespace

void assemble_capture(const CaptureRecording& recording, const Span& whole,
                      const PowerEvidence& power, ProfiledRun& capture,
                      const std::function<void(ProfiledRun)>& on_request) {
  const std::span<const CapturedContext> contexts = recording.contexts;
  const CaptureRequests found = find_requests(recording, contexts);
  const std::vector<CapturePiece> pieces =
      cut_capture(recording, found, whole.begin, whole.end, kLongestBetween);
  const CaptureSpans spans(recording, found, pieces, whole);
  CaptureDivision division(recording, contexts, found, pieces);
  assemble_run(spans.view(), power, capture, &division);
  capture.sections.clear();  // the parts of the capture say the same
  capture.capture = figures_of(recording, found, division);
  if (recording.lost_passes + recording.passes.lost_passes > 0) {
    capture.warnings.push_back(
        {"exec", "lost_passes",
         fmt::format(
             "Passes of the program that were not recorded: {}. Their energy is not shared, "
             "and counts between passes",
             recording.lost_passes + recording.passes.lost_passes),
         "The machine was too busy to follow it, or the capture was very long."});
  }
  const RequestRuns requests(recording, found, contexts, division, power, whole, capture);
  for (std::size_t index = 0; index < found.requests.size(); ++index) {
    on_request(requests.make(index));
  }
}

}  // namespace enprof
