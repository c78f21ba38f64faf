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

  friend bool operator==(const ReplayWindow&, const ReplayWindow&) = default;
};

struct ReplayFile {
  std::vector<Domain> domains;        ///< in the order in which the file names them
  std::vector<ReplayWindow> windows;  ///< by begin
};

/// Reads lines like
///   {"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000}
/// Blank lines and lines that begin with # are skipped, further keys are ignored; a byte order mark
/// and CRLF are put up with. Windows of one domain ascend and do not overlap; domains may be mixed.
/// Error: malformed, with line, column or value; the text is called `name` there.
[[nodiscard]] Result<ReplayFile> parse_replay(std::istream& in, std::string_view name);

/// The same from a file. Errors: that, and those of the file.
[[nodiscard]] Result<ReplayFile> read_replay_file(const std::filesystem::path& path);

/// One line as above, with its line end.
[[nodiscard]] std::string replay_line(std::string_view domain, const ReplayWindow& window);

}  // namespace enprof
