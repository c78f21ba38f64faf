// How many answers may be on their way that are too large to be sent at once.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {

/// Bounds what clients that read slowly can make the server hold: so many answers, and so many
/// bytes of them.
///
/// A client may take a place while it holds fewer than are free, so that it leaves as many as it
/// has: one alone gets half of them, a second one half of the rest, and so on. Another client thus
/// finds a place whatever one does, and nothing is set aside for clients that do not come. It is
/// how switches share their buffers (Choudhury and Hahne, "Dynamic queue length thresholds", 1998).
/// Of the bytes a client may have as many as are free, but for its only answer, which is taken
/// where there is room at all.
///
/// Threads: one.
class AnswerRoom {
 private:
  struct Held {
    std::size_t answers = 0;
    std::size_t bytes = 0;
  };
  using Clients = std::map<std::string, Held, std::less<>>;

 public:
  AnswerRoom(std::size_t answers, std::size_t bytes) : most_(answers), most_bytes_(bytes) {}
  AnswerRoom(const AnswerRoom&) = delete;
  AnswerRoom& operator=(const AnswerRoom&) = delete;

  /// Taken by one answer, and given back at its end. The room outlives it.
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
        hold(0);
        room_->leave(client_);
      }
    }
    /// So many bytes of the answer are in memory now.
    void hold(std::size_t bytes) {
      const std::size_t more = bytes - bytes_;  // wraps where it is less, and comes out right
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
    Clients::iterator client_;  // its entry is there as long as it has places
    std::size_t bytes_ = 0;
  };

  /// Empty where there is no place for this client. A single answer may have more bytes than there
  /// is room for.
  [[nodiscard]] std::optional<Place> take(const std::string& client, std::size_t bytes) {
    const Held held = of(client);
    const auto fits = [&](std::size_t more) { return bytes_ == 0 || bytes_ + more <= most_bytes_; };
    if (answers_ + held.answers >= most_ || !fits(bytes) ||
        (held.bytes > 0 && !fits(held.bytes + bytes))) {
      return std::nullopt;
    }
    Place place(*this, clients_.try_emplace(client).first);
    place.hold(bytes);
    return place;
  }

  [[nodiscard]] std::size_t answers() const { return answers_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t answers_of(std::string_view client) const { return of(client).answers; }

 private:
  [[nodiscard]] Held of(std::string_view client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? Held{} : found->second;
  }
  void leave(Clients::iterator client) {
    --answers_;
    if (--client->second.answers == 0) {
      clients_.erase(client);
    }
  }

  const std::size_t most_;
  const std::size_t most_bytes_;
  std::size_t answers_ = 0;
  std::size_t bytes_ = 0;
  Clients clients_;  // that hold a place
};

}  // namespace enprof
