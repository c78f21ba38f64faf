#include "power/powermetrics/powermetrics_stream.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kBegin = "<?xml";
constexpr std::string_view kEnd = "</plist>";
constexpr std::string_view kBetween{"\0 \t\r\n", 5};

}  // namespace

void PowermetricsStream::add(std::string_view bytes) { buffer_ += bytes; }

void PowermetricsStream::clear() {
  buffer_.clear();
  searched_ = 0;
  discarding_ = false;
}

std::size_t PowermetricsStream::pop_oversized() { return std::exchange(oversized_, 0); }
std::size_t PowermetricsStream::pop_cut_off() { return std::exchange(cut_off_, 0); }

std::optional<std::string> PowermetricsStream::next() {
  while (true) {
    if (!discarding_ && searched_ == 0) {
      buffer_.erase(0, std::min(buffer_.find_first_not_of(kBetween), buffer_.size()));
    }
    const std::size_t tag = buffer_.find(kEnd, searched_);
    const std::size_t nul = buffer_.find('\0', searched_);
    if (tag == std::string::npos && nul == std::string::npos) {
      // A part of the end tag may have arrived.
      searched_ = buffer_.size() - std::min(buffer_.size(), kEnd.size() - 1);
      if (buffer_.size() > limit_) {
        oversized_ += discarding_ ? 0 : 1;
        discarding_ = true;
        buffer_.erase(0, searched_);
        searched_ = 0;
      }
      return std::nullopt;
    }
    const std::size_t end = tag < nul ? tag + kEnd.size() : nul;
    std::string document = buffer_.substr(0, end);
    buffer_.erase(0, end);
    searched_ = 0;
    if (std::exchange(discarding_, false)) {
      continue;
    }
    if (document.size() > limit_) {
      ++oversized_;
      continue;
    }
    if (const auto begin = document.rfind(kBegin); begin != std::string::npos && begin > 0) {
      ++cut_off_;
      document.erase(0, begin);
    }
    return document;
  }
}

}  // namespace enprof
