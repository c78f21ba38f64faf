// RAPL energy counters through Linux's powercap tree.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/polled_file.hpp"
#include "power/energy_counter.hpp"
#include "power/rapl_zones.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads the counters of all packages, cores, uncores, memories and platforms that the tree has.
///
/// A window goes from one step of a counter that was seen to the next, and is stamped right after
/// its value was read. A counter that could not be read, that was reset, or that was not read for
/// so long that it may have gone around unseen (EnergyCounter) yields no window and the outcome
/// `retry`; the next good reading makes one window of the whole time only where that is safe. The
/// source is `gone` once every file has been missing for a second.
class RaplSource final : public PowerSource {
 public:
  /// Opens every counter and reads it once. Errors: not_found; permission_denied, which names every
  /// file that may not be read; and those of the files.
  [[nodiscard]] static Result<std::unique_ptr<RaplSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "rapl"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kStep; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override;
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  /// The counters step this far apart: 2^-10 s (Intel SDM vol. 3, MSR_RAPL_POWER_UNIT; AMD's
  /// alike).
  static constexpr Nanoseconds kStep{976'562};
  /// More than a domain draws: the largest sockets of today take 500 W. The same is taken for what
  /// lies in a socket and for its memory.
  static constexpr Watts kSocketLimit{2'000};
  /// More than a machine with several sockets draws.
  static constexpr Watts kPlatformLimit{10'000};
  /// A counter that stands still for so long is opened anew: its driver may have been reloaded, or
  /// be gone.
  static constexpr Nanoseconds kStandstill = std::chrono::milliseconds{200};
  /// So long must all files have been missing before the source gives up.
  static constexpr Nanoseconds kLostAfter = std::chrono::seconds{1};

 private:
  struct Counter {
    std::filesystem::path path;
    EnergyCounter energy;
    std::optional<PolledFile> file;  // empty while it cannot be opened
    Instant opened_at;
  };

  RaplSource(std::vector<Domain> domains, std::vector<Counter> counters, const Clock& clock)
      : domains_(std::move(domains)), counters_(std::move(counters)), clock_(&clock) {}

  /// The value now; opens the file where it is not open, or where it does not answer.
  [[nodiscard]] Result<std::uint64_t> read(Counter& counter);
  [[nodiscard]] Result<void> reopen(Counter& counter);
  /// Appends the window that a reading ends, or says why there is none.
  [[nodiscard]] std::optional<Error> take(std::size_t index, std::uint64_t value_uj, Instant at,
                                          std::vector<EnergyWindow>& windows);

  std::vector<Domain> domains_;
  std::vector<Counter> counters_;  // in the order of the domains
  const Clock* clock_;
  std::optional<Instant> lost_since_;  // all files have been missing since
};

}  // namespace enprof
