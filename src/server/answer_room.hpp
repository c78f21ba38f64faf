// How many answers may be on their way that are too large to be sent at once.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

namespace enprof {

/// Bounds what clients that read slowly can make the server hold: so many answers, and so many
/// bytes of them. Threads: one.
class AnswerRoom {
 public:
  AnswerRoom(std::size_t answers, std::size_t bytes) : most_(answers), most_bytes_(bytes) {}
  AnswerRoom(const AnswerRoom&) = delete;
  AnswerRoom& operator=(const AnswerRoom&) = delete;

  /// Taken by one answer, and given back at its end. The room outlives it.
  class Place {
   public:
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Place() {
      if (room_ != nullptr) {
        hold(0);
        --room_->answers_;
      }
    }
    /// So many bytes of the answer are in memory now.
    void hold(std::size_t bytes) {
      room_->bytes_ += bytes - bytes_;  // wraps where it is less, and comes out right
      bytes_ = bytes;
    }

   private:
    friend AnswerRoom;
    explicit Place(AnswerRoom& room) : room_(&room) { ++room_->answers_; }

    AnswerRoom* room_;
    std::size_t bytes_ = 0;
  };

  /// Empty where there is no place. A single answer may have more bytes than there is room for.
  [[nodiscard]] std::optional<Place> take(std::size_t bytes) {
    if (answers_ >= most_ || (bytes_ > 0 && bytes_ + bytes > most_bytes_)) {
      return std::nullopt;
    }
    Place place(*this);
    place.hold(bytes);
    return place;
  }

  [[nodiscard]] std::size_t answers() const { return answers_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  const std::size_t most_;
  const std::size_t most_bytes_;
  std::size_t answers_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace enprof
