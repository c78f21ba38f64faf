// Cuts what powermetrics writes into documents.
#pragma once

#include "power/powermetrics/powermetrics_sample.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Takes bytes as they come from a pipe and gives back documents, one after the other.
///
/// A document ends with its end tag, and not only with the NUL between two: a NUL that came with
/// the next one would keep each back for a whole period. What ends with a NUL alone is handed out
/// too, for the parser to refuse: half documents are counted there like every other fault. A new
/// beginning within a document means that the one before was cut off. Threads: one at a time.
class PowermetricsStream {
 public:
  explicit PowermetricsStream(std::size_t limit = kPowermetricsDocumentLimit) : limit_(limit) {}

  void add(std::string_view bytes);
  /// The next document; empty where none has ended yet.
  [[nodiscard]] std::optional<std::string> next();
  /// Forgets what has come of a document.
  void clear();

  /// Documents that grew beyond the limit and were thrown away, since the last call.
  [[nodiscard]] std::size_t take_oversized();
  /// Documents that the next one cut off, since the last call.
  [[nodiscard]] std::size_t take_cut_off();

 private:
  std::size_t limit_;
  std::string buffer_;
  std::size_t searched_ = 0;  // so much of the buffer holds no end
  bool discarding_ = false;   // up to the end of a document that is too long
  std::size_t oversized_ = 0;
  std::size_t cut_off_ = 0;
};

}  // namespace enprof
