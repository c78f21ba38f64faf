// A capture: the life of a program in which several requests may share an engine's passes.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/names.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

// ---- what is seen of a program ------------------------------------------------------------------

/// A model that the program loaded.
struct CapturedModel {
  ModelFacts facts;
  Instant begin;                 ///< when loading began
  Instant loaded;                ///< when it had ended
  std::optional<Instant> freed;  ///< empty: it was in memory until the program ended

  friend bool operator==(const CapturedModel&, const CapturedModel&) = default;
};

/// A context: the state in which an engine computes the sequences of one model.
struct CapturedContext {
  std::uint32_t model = 0;       ///< index into the models of the capture
  std::optional<int> positions;  ///< that one sequence may have

  friend bool operator==(const CapturedContext&, const CapturedContext&) = default;
};

/// What a program does with its model outside of the passes of requests.
enum class CapturedWorkKind : std::uint8_t {
  loading,     ///< reading a model, making a context
  warm_up,     ///< a pass that only warms the model up
  cache_move,  ///< a prompt cache is saved, restored, copied or shifted
};
[[nodiscard]] ENPROF_API std::string_view to_string(CapturedWorkKind kind) noexcept;

/// Such work, between two instants. A warm-up's own passes are among the passes, too.
struct CapturedWork {
  CapturedWorkKind kind = CapturedWorkKind::loading;
  Instant begin;
  Instant end;

  friend bool operator==(const CapturedWork&, const CapturedWork&) = default;
};

// ---- what comes of it ---------------------------------------------------------------------------

/// What a capture's energy went to. The parts add up to the capture.
enum class CapturePartKind : std::uint8_t {
  requests,           ///< passes of requests, and the time between them while one is in flight
  idle_while_loaded,  ///< a model was loaded, and no request was in flight
  loading,
  warm_up,
  cache_moves,
  unassigned,  ///< the program's own start and end, and what cannot be told
};
[[nodiscard]] ENPROF_API std::string_view to_string(CapturePartKind kind) noexcept;

struct CapturePart {
  CapturePartKind kind = CapturePartKind::unassigned;
  std::size_t count = 0;  ///< pieces of time; of `requests` the requests
  Figure figure;

  friend bool operator==(const CapturePart&, const CapturePart&) = default;
};

/// The passes that computed so many sequences at once.
struct CaptureOccupancy {
  std::size_t sequences = 0;
  std::size_t passes = 0;
  std::size_t tokens = 0;  ///< computed in these passes
  Nanoseconds duration{0};
  std::optional<Joules> energy;

  friend bool operator==(const CaptureOccupancy&, const CaptureOccupancy&) = default;
};

/// What a capture has beside what every run has.
struct CaptureFigures {
  std::size_t requests = 0;
  std::size_t passes = 0;
  std::size_t most_in_flight = 0;           ///< requests at one time
  std::optional<double> mean_sequences;     ///< of the passes, weighted by their time
  std::string sharing;                      ///< how passes are shared: "operations", "modelled", …
  std::vector<CapturePart> parts;           ///< in the order of their kinds, none empty
  std::vector<CaptureOccupancy> occupancy;  ///< by number of sequences

  friend bool operator==(const CaptureFigures&, const CaptureFigures&) = default;
};

/// What a run has beside what every run has, if it is a request of a capture. Its figures are its
/// share of the passes that it had a part in.
struct RequestFigures {
  std::size_t number = 0;           ///< in the order in which they began, from 1
  std::int32_t sequence = 0;        ///< the engine's number of the sequence, the slot
  Nanoseconds begin{0};             ///< since the capture began
  std::size_t cached_tokens = 0;    ///< of the prompt, that were in the cache and not computed
  std::size_t rejected_tokens = 0;  ///< computed as a draft, and not kept
  std::size_t context_shifts = 0;
  std::size_t passes = 0;
  std::optional<double> mean_sequences;  ///< in its passes: its company, itself included
  /// From its arrival to its first pass. Passes alone do not tell it.
  std::optional<Nanoseconds> waiting;
  /// What the capture would have used less without this request, by the model of the work: see
  /// docs/attribution.md. Below its share, as company makes tokens cheaper.
  std::optional<Joules> marginal;
  std::optional<Joules> marginal_uncertainty;  ///< one standard deviation
  /// Its part of the idle energy of the capture, if that is divided by the requests' energies.
  std::optional<Joules> idle_share;
  std::string how_found;  ///< how its begin and end were found, and what could not be told

  friend bool operator==(const RequestFigures&, const RequestFigures&) = default;
};

}  // namespace enprof
