// A bounded queue between two threads, which may belong to two processes.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace enprof {

/// Fixed-size queue of plain values. Threads: one pushes, one pops; neither ever waits.
///
/// It lies in memory of its own, or in memory that two processes share: each has an object of this
/// class over it, of the same capacity. A peer that writes nonsense there harms nothing but the
/// values: no object accesses anything outside of its memory.
template <class T>
  requires std::is_trivially_copyable_v<T>
class RingBuffer {
 public:
  /// Holds at least `capacity` values.
  explicit RingBuffer(std::size_t capacity)
      : own_(std::make_unique<Own>(slots_for(capacity))),
        state_(&own_->state),
        slots_(own_->slots.get()),
        mask_(slots_for(capacity) - 1) {}
  /// In shared memory of at least bytes_for(capacity) bytes, which must be zero before the first of
  /// its two objects is used, be aligned to kAlignment, and outlive this.
  RingBuffer(std::span<std::byte> memory, std::size_t capacity) noexcept
      : state_(reinterpret_cast<State*>(memory.data())),
        slots_(reinterpret_cast<T*>(memory.data() + sizeof(State))),
        mask_(slots_for(capacity) - 1) {}

  static constexpr std::size_t kAlignment = 64;
  [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t capacity) noexcept {
    return sizeof(State) + slots_for(capacity) * sizeof(T);
  }

  /// False if the queue is full: the value is dropped and counted.
  bool push(const T& value) noexcept {
    const std::size_t tail = state_->tail.load(std::memory_order_relaxed);
    if (tail - state_->head.load(std::memory_order_acquire) > mask_) {
      state_->dropped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    slots_[tail & mask_] = value;
    state_->tail.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// False if the queue is empty.
  bool pop(T& value) noexcept {
    const std::size_t head = state_->head.load(std::memory_order_relaxed);
    if (head == state_->tail.load(std::memory_order_acquire)) {
      return false;
    }
    value = slots_[head & mask_];
    state_->head.store(head + 1, std::memory_order_release);
    return true;
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
  [[nodiscard]] std::size_t dropped() const noexcept {
    return state_->dropped.load(std::memory_order_relaxed);
  }

 private:
  /// The threads share no cache line. All zero is an empty queue.
  struct State {
    alignas(kAlignment) std::atomic<std::size_t> head;
    alignas(kAlignment) std::atomic<std::size_t> tail;
    std::atomic<std::size_t> dropped;
  };
  static_assert(std::atomic<std::size_t>::is_always_lock_free);  // so it works between processes
  static_assert(alignof(T) <= kAlignment);
  struct Own {
    explicit Own(std::size_t count) : slots(std::make_unique<T[]>(count)) {}
    State state{};
    std::unique_ptr<T[]> slots;
  };

  [[nodiscard]] static constexpr std::size_t slots_for(std::size_t capacity) noexcept {
    return std::bit_ceil(std::max<std::size_t>(capacity, 1));
  }

  std::unique_ptr<Own> own_;  // null: in shared memory
  State* state_;
  T* slots_;
  std::size_t mask_;
};

}  // namespace enprof
