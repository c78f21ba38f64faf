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
  std::uint32_t stamp_error_ns = 0;  ///< standard deviation of `end`

  friend bool operator==(const ReplayWindow&, const ReplayWindow&) = default;
};

struct ReplayFile {
  std::vector<Domain> domains;        ///< in the order in which the file names them
  std::vector<ReplayWindow> windows;  ///< by begin
};

/// Reads lines like
///   {"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000}
/// and perhaps, after these, "stamp_error_ms", the window's, and "method" and "scope", the domain's
/// names of Method and DomainScope: what one line says of a domain holds for it, none may say
/// otherwise, and where none does it is measured, by_kind.
/// Blank lines and lines that begin with # are skipped, further keys are ignored; a byte order mark
/// and CRLF are put up with. Windows of one domain ascend and do not overlap; domains may be mixed.
/// Error: malformed, with line, column or value; the text is called `name` there.
[[nodiscard]] Result<ReplayFile> parse_replay(std::istream& in, std::string_view name);

/// The same from a file. Errors: that, and those of the file.
[[nodiscard]] Result<ReplayFile> read_replay_file(const std::filesystem::path& path);

/// One line as above, with its line end. Of the domain it tells name, method and scope.
[[nodiscard]] std::string replay_line(const Domain& domain, const ReplayWindow& window);

}  // namespace enprof
