// The format of recorded power: JSON lines.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"

#include <cstdint>
#include <filesystem>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A window with times from the begin of the recording.
struct ReplayWindow {
  Nanoseconds begin{0};
  Nanoseconds end{0};
  Joules energy;
  std::uint16_t domain = 0;
  std::uint32_t stamp_error_ns = 0;   ///< standard deviation of `end`
  std::uint16_t unseen_permille = 0;  ///< EnergyWindow's

  friend bool operator==(const ReplayWindow&, const ReplayWindow&) = default;
};

struct ReplayFile {
  std::vector<Domain> domains;        ///< in the order of the file
  std::vector<ReplayWindow> windows;  ///< by begin
};

/// Parses lines like
///   {"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000}
/// Optional keys: "stamp_error_ms" and "unseen_permille" for the window; for the domain, "method"
/// and "scope" (names of Method and DomainScope) and "relative_uncertainty" (0–1). A line with
/// these sets them for the whole domain; other lines may not contradict it. The defaults are
/// measured, by_kind and unknown. Blank lines and lines that begin with # are skipped, other keys
/// are ignored; a byte-order mark and CRLF are accepted. Windows of one domain ascend and do not
/// overlap; domains may be mixed. Error: malformed, with line, column or value; the message calls
/// the text `name`.
[[nodiscard]] Result<ReplayFile> parse_replay(std::istream& in, std::string_view name);

/// The same from a file. Errors: also those of reading the file.
[[nodiscard]] Result<ReplayFile> read_replay_file(const std::filesystem::path& path);

/// One such line, with its line end. Of the domain it contains name, method, scope
/// and relative uncertainty.
[[nodiscard]] std::string replay_line(const Domain& domain, const ReplayWindow& window);

}  // namespace enprof
