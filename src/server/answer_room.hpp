// Limits the answers that are too large to be sent in one piece.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {

/// Bounds what slow clients can make the server hold: the number of large answers, and their bytes
/// in memory.
///
/// A client may take a place while it holds fewer places than are free, so that it leaves as many
/// as it has: a single client gets half of them, a second one half of the rest, and so on. So
/// another client always finds a place, and no places are reserved for clients that do not come.
/// Switches share their buffers in this way (Choudhury and Hahne, "Dynamic queue length
/// thresholds", 1998). A client may likewise hold as many bytes as are free, except that its only
/// answer is accepted if it fits at all.
///
/// Threads: one.
class AnswerRoom {
 private:
  struct Usage {
    std::size_t answers = 0;
    std::size_t bytes = 0;
  };
  using Clients = std::map<std::string, Usage, std::less<>>;

 public:
  AnswerRoom(std::size_t answers, std::size_t bytes) : most_(answers), most_bytes_(bytes) {}
  AnswerRoom(const AnswerRoom&) = delete;
  AnswerRoom& operator=(const AnswerRoom&) = delete;

  /// A place for one answer, returned by the destructor. The AnswerRoom must outlive it.
  class Place {
   public:
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)),
          client_(other.client_),
          bytes_(std::exchange(other.bytes_, 0)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(client_, other.client_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Place() {
      if (room_ != nullptr) {
        set_bytes(0);
        room_->release(client_);
      }
    }
    /// The answer now has this many bytes in memory.
    void set_bytes(std::size_t bytes) {
      const std::size_t more = bytes - bytes_;  // wraps if negative; the sums come out right
      room_->bytes_ += more;
      client_->second.bytes += more;
      bytes_ = bytes;
    }

   private:
    friend AnswerRoom;
    Place(AnswerRoom& room, Clients::iterator client) : room_(&room), client_(client) {
      ++room_->answers_;
      ++client_->second.answers;
    }

    AnswerRoom* room_;
    Clients::iterator client_;  // valid as long as the client has places
    std::size_t bytes_ = 0;
  };

  /// Empty if there is no place for this client. A single answer may have more bytes than the
  /// limit.
  [[nodiscard]] std::optional<Place> reserve(const std::string& client, std::size_t bytes) {
    const Usage used = usage_of(client);
    const auto fits = [&](std::size_t more) { return bytes_ == 0 || bytes_ + more <= most_bytes_; };
    if (answers_ + used.answers >= most_ || !fits(bytes) ||
        (used.bytes > 0 && !fits(used.bytes + bytes))) {
      return std::nullopt;
    }
    Place place(*this, clients_.try_emplace(client).first);
    place.set_bytes(bytes);
    return place;
  }

  [[nodiscard]] std::size_t answers() const { return answers_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t answers_of(std::string_view client) const {
    return usage_of(client).answers;
  }

 private:
  [[nodiscard]] Usage usage_of(std::string_view client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? Usage{} : found->second;
  }
  void release(Clients::iterator client) {
    --answers_;
    if (--client->second.answers == 0) {
      clients_.erase(client);
    }
  }

  const std::size_t most_;
  const std::size_t most_bytes_;
  std::size_t answers_ = 0;
  std::size_t bytes_ = 0;
  Clients clients_;  // those that hold a place
};

}  // namespace enprof
