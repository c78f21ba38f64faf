// A batch of tokens of several sequences.
#pragma once

#include <llama.h>

#include <cstdint>

namespace enprof {

/// Owns llama.cpp's arrays for a batch; the memory is allocated once. Move-only.
class SequenceBatch {
 public:
  /// For at most so many tokens.
  explicit SequenceBatch(std::int32_t capacity)
      : batch_(llama_batch_init(capacity, 0, 1)), capacity_(capacity) {}
  SequenceBatch(const SequenceBatch&) = delete;
  SequenceBatch& operator=(const SequenceBatch&) = delete;
  ~SequenceBatch() { llama_batch_free(batch_); }

  void clear() noexcept { batch_.n_tokens = 0; }
  [[nodiscard]] bool is_full() const noexcept { return batch_.n_tokens >= capacity_; }
  [[nodiscard]] bool is_empty() const noexcept { return batch_.n_tokens == 0; }
  /// Adds a token, unless the batch is full. `wants_output`: its logits are computed.
  void add(llama_token token, std::int32_t position, llama_seq_id sequence,
           bool wants_output) noexcept {
    if (is_full()) {
      return;
    }
    const auto index = batch_.n_tokens++;
    batch_.token[index] = token;
    batch_.pos[index] = position;
    batch_.n_seq_id[index] = 1;
    batch_.seq_id[index][0] = sequence;
    batch_.logits[index] = wants_output ? 1 : 0;
  }
  [[nodiscard]] const llama_batch& get() const noexcept { return batch_; }

 private:
  llama_batch batch_;
  std::int32_t capacity_;
};

}  // namespace enprof
