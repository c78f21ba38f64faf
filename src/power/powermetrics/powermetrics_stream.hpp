// Splits powermetrics' output into documents.
#pragma once

#include "power/powermetrics/powermetrics_sample.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Takes bytes as they arrive from a pipe and returns documents, one after the other.
///
/// A document ends with its end tag, not only with the NUL between two documents: if the NUL comes
/// with the next document, waiting for it would delay each document by a whole period. A document
/// that ends only with a NUL is returned too; the parser refuses it and counts it like every other
/// fault. A new beginning within a document means that the first one was cut off. Threads: one at a
/// time.
class PowermetricsStream {
 public:
  explicit PowermetricsStream(std::size_t limit = kPowermetricsDocumentLimit) : limit_(limit) {}

  void add(std::string_view bytes);
  /// The next document; empty if no document is complete yet.
  [[nodiscard]] std::optional<std::string> next();
  /// Discards an incomplete document.
  void clear();

  /// The number of documents beyond the limit, which were dropped, since the last call.
  [[nodiscard]] std::size_t pop_oversized();
  /// The number of documents that the next one cut off, since the last call.
  [[nodiscard]] std::size_t pop_cut_off();

 private:
  std::size_t limit_;
  std::string buffer_;
  std::size_t searched_ = 0;  // this part of the buffer contains no end
  bool discarding_ = false;   // up to the end of a document that is too long
  std::size_t oversized_ = 0;
  std::size_t cut_off_ = 0;
};

}  // namespace enprof
