#include "power/idle_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

namespace enprof {
namespace {

/// A part of a window, with the window's power.
struct Piece {
  Instant begin;
  Instant end;
  Watts power;

  [[nodiscard]] double weight() const { return seconds(end - begin); }
};

struct Mean {
  Watts power;
  std::optional<Watts> spread;
};

Mean mean_of(std::span<const Piece> pieces) {
  double weights = 0.0;
  double sum = 0.0;
  for (const Piece& piece : pieces) {
    weights += piece.weight();
    sum += piece.weight() * piece.power.value();
  }
  const double mean = sum / weights;
  Mean result{.power = Watts{mean}, .spread = std::nullopt};
  if (pieces.size() >= 2) {
    double squares = 0.0;
    for (const Piece& piece : pieces) {
      squares += piece.weight() * std::pow(piece.power.value() - mean, 2);
    }
    const auto count = static_cast<double>(pieces.size());
    result.spread = Watts{std::sqrt(count / (count - 1) * squares / weights)};
  }
  return result;
}

/// Adds a domain's power to each step of a grid. Steps that the domain does not cover become empty.
void add_on_grid(std::span<const Piece> domain, std::vector<std::optional<Piece>>& grid) {
  std::size_t first = 0;
  for (auto& step : grid) {
    if (!step) {
      continue;
    }
    while (first < domain.size() && domain[first].end <= step->begin) {
      ++first;
    }
    Joules energy;
    Nanoseconds covered{0};
    for (std::size_t at = first; at < domain.size() && domain[at].begin < step->end; ++at) {
      const Nanoseconds overlap =
          std::min(domain[at].end, step->end) - std::max(domain[at].begin, step->begin);
      energy += domain[at].power * overlap;
      covered += overlap;
    }
    if (covered == Nanoseconds{0}) {
      step.reset();
    } else {
      step->power += energy / covered;
    }
  }
}

std::optional<Watts> spread_of_sum(const std::vector<std::span<const Piece>>& roots) {
  const auto fewest = std::ranges::min_element(roots, {}, &std::span<const Piece>::size);
  std::vector<std::optional<Piece>> grid(fewest->begin(), fewest->end());
  for (auto root = roots.begin(); root != roots.end(); ++root) {
    if (root != fewest) {
      add_on_grid(*root, grid);
    }
  }
  std::vector<Piece> sums;
  for (const auto& step : grid) {
    if (step) {
      sums.push_back(*step);
    }
  }
  return sums.size() >= 2 ? mean_of(sums).spread : std::nullopt;
}

}  // namespace

IdleBaseline compute_idle_baseline(const std::vector<Domain>& domains,
                                   const WindowsByDomain& windows, Instant begin, Instant end) {
  std::vector<std::vector<Piece>> pieces(domains.size());
  for (std::size_t domain = 0; domain < domains.size(); ++domain) {
    for (const EnergyWindow& window : windows[domain]) {
      const Piece piece{.begin = std::max(window.begin, begin),
                        .end = std::min(window.end, end),
                        .power = window.energy / window.duration()};
      if (piece.end > piece.begin) {
        pieces[domain].push_back(piece);
      }
    }
  }

  IdleBaseline result{
      .domains = std::vector<std::optional<IdleBaseline::DomainIdle>>(domains.size()),
      .total = std::nullopt,
      .duration = end - begin};
  BaselineFigure total{.duration = end - begin};
  std::vector<std::span<const Piece>> roots;
  bool complete = true;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (!pieces[index].empty()) {
      const Mean mean = mean_of(pieces[index]);
      result.domains[index] = {
          .power = mean.power, .spread = mean.spread, .windows = pieces[index].size()};
    }
    if (domains[index].is_root()) {
      if (!result.domains[index]) {
        complete = false;
        continue;
      }
      total.power += result.domains[index]->power;
      total.windows += pieces[index].size();
      roots.emplace_back(pieces[index]);
    }
  }
  if (complete && !roots.empty()) {
    total.spread = spread_of_sum(roots);
    result.total = total;
  }
  return result;
}

void fit_to_roots(IdleBaseline& baseline, const std::vector<Domain>& domains) {
  BaselineFigure total{.duration = baseline.duration};
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (!domains[index].is_root()) {
      continue;
    }
    if (!baseline.domains[index]) {
      baseline.total.reset();
      return;
    }
    total.power += baseline.domains[index]->power;
    total.windows += baseline.domains[index]->windows;
  }
  if (!baseline.total || baseline.total->windows != total.windows) {
    baseline.total = total.windows > 0 ? std::optional{total} : std::nullopt;
  }
}

}  // namespace enprof
