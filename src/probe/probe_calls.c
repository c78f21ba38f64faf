/* What the program calls in place of llama.cpp's functions, and what llama.cpp calls in place of
 * ggml's. Each passes on exactly what it was given. */
#include "probe/probe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

__thread struct Context* probe_current __attribute__((tls_model("initial-exec")));
/* Where in its stack this thread called llama.cpp: a call that an exception left is noticed by it. */
static __thread const char* current_frame __attribute__((tls_model("initial-exec")));

/* ---- passes ---- */

struct Sums {
  struct ProbeSequence sequences[kProbeSequences];
  uint32_t count;
  uint32_t others;
  uint32_t other_tokens;
  uint32_t outputs;
  bool shared;
};

static struct ProbeSequence* find_sequence(struct Sums* sums, struct ProbeSequence* latest,
                                           int32_t id) {
  if (latest != NULL && latest->id == id) {
    return latest;
  }
  for (uint32_t i = 0; i < sums->count; ++i) {
    if (sums->sequences[i].id == id) {
      return &sums->sequences[i];
    }
  }
  if (sums->count == kProbeSequences) {
    return NULL;
  }
  struct ProbeSequence* const added = &sums->sequences[sums->count++];
  *added = (struct ProbeSequence){.id = id, .first_position = -1};
  return added;
}

/* Where the next token of a sequence goes if the program leaves that to llama.cpp. */
static int32_t next_position(LlamaContext* llama, int32_t sequence) {
  void* (*const memory_of)(LlamaContext*) = probe_library.memory_of;
  int32_t (*const last_position)(void*, int32_t) = probe_library.last_position;
  void* const memory = memory_of != NULL && last_position != NULL ? memory_of(llama) : NULL;
  return memory != NULL ? last_position(memory, sequence) + 1 : -1;
}

static bool names_sequences(const struct Batch* batch, int32_t token) {
  return batch->seq_id != NULL && batch->n_seq_id != NULL && batch->n_seq_id[token] > 0;
}

/* Of several, the first. */
static int32_t sequence_of(const struct Batch* batch, int32_t token) {
  return names_sequences(batch, token) ? batch->seq_id[token][0] : 0;
}

static void sum_up(LlamaContext* llama, const struct Batch* batch, struct Sums* sums) {
  struct ProbeSequence* sequence = NULL;
  sums->count = sums->others = sums->other_tokens = sums->outputs = 0;
  sums->shared = false;
  int32_t latest_other = -1;
  for (int32_t i = 0; i < batch->n_tokens; ++i) {
    const int32_t id = sequence_of(batch, i);
    sums->shared = sums->shared || (names_sequences(batch, i) && batch->n_seq_id[i] > 1);
    const bool output =
        batch->logits != NULL ? batch->logits[i] != 0 : i + 1 == batch->n_tokens;
    sums->outputs += output ? 1 : 0;
    sequence = find_sequence(sums, sequence, id);
    if (sequence == NULL) {
      sums->others += latest_other != id ? 1 : 0;
      latest_other = id;
      ++sums->other_tokens;
      continue;
    }
    if (sequence->tokens == 0) {
      sequence->first_position = batch->pos != NULL ? batch->pos[i] : next_position(llama, id);
    }
    ++sequence->tokens;
    sequence->outputs += output ? 1 : 0;
  }
}

static bool write_sequences(struct Writer* writer, uint32_t context, const struct Sums* sums) {
  for (uint32_t done = 0; done < sums->count; done += kProbeSequencesInCell) {
    union ProbeCell* const cell = probe_next_cell(writer);
    if (cell == NULL) {
      return false;
    }
    const uint32_t left = sums->count - done;
    const uint32_t count = left < kProbeSequencesInCell ? left : kProbeSequencesInCell;
    cell->sequences.type = kProbeRecordSequences;
    cell->sequences.count = (uint16_t)count;
    cell->sequences.context = context;
    memcpy(cell->sequences.sequences, &sums->sequences[done], count * sizeof *sums->sequences);
  }
  return true;
}

/* Tokens of sequences that are told apart. What is in the batch is the program's, and still there. */
static bool write_tokens(struct Writer* writer, uint32_t context, const struct Batch* batch,
                         struct Sums* sums) {
  struct ProbeSequence* sequence = NULL;
  union ProbeCell* cell = NULL;
  for (int32_t i = 0; i < batch->n_tokens; ++i) {
    sequence = find_sequence(sums, sequence, sequence_of(batch, i));
    if (cell == NULL || cell->tokens.count == kProbeTokensInCell) {
      cell = probe_next_cell(writer);
      if (cell == NULL) {
        return false;
      }
      cell->tokens.type = kProbeRecordTokens;
      cell->tokens.context = context;
    }
    cell->tokens.ids[cell->tokens.count] = batch->token[i];
    cell->tokens.places[cell->tokens.count++] = (uint8_t)(sequence - sums->sequences);
  }
  return true;
}

/* Texts are told where all tokens can be: of sequences that are told apart, and not too many. */
static bool tells_tokens(const struct Batch* batch, const struct Sums* sums) {
  return (probe_wanted() & kProbeWantsTokens) != 0 && batch->token != NULL &&
         batch->n_tokens > 0 && batch->n_tokens <= kProbeTokens && sums->other_tokens == 0;
}

static void write_pass(struct Context* context, const struct ProbePass* pass,
                       const struct Batch* batch, struct Sums* sums) {
  struct Writer* const writer = &context->writer;
  union ProbeCell* const cell = probe_next_cell(writer);
  if (cell == NULL) {
    probe_forget(writer);
    atomic_fetch_add_explicit(&writer->ring->lost_passes, 1, memory_order_relaxed);
    return;
  }
  cell->pass = *pass;
  if (write_sequences(writer, context->number, sums) &&
      (pass->told_tokens == 0 || write_tokens(writer, context->number, batch, sums))) {
    probe_commit(writer);
  } else {
    probe_forget(writer);
    atomic_fetch_add_explicit(&writer->ring->lost_passes, 1, memory_order_relaxed);
  }
}

static __thread uint32_t own_number __attribute__((tls_model("initial-exec")));

static uint32_t thread_number(void) {
  if (own_number == 0) {
    own_number = (uint32_t)gettid();
  }
  return own_number;
}

void probe_forget_thread(void) {
  probe_current = NULL;
  own_number = 0;
}

typedef int32_t (*Compute)(LlamaContext*, struct ByValue);

static int32_t follow(Compute real, LlamaContext* llama, const struct ByValue* argument,
                      uint16_t flags) {
  const char* const frame = __builtin_frame_address(0);
  if (probe_current != NULL && current_frame > frame) {
    return real(llama, *argument); /* within another call: that one is followed */
  }
  probe_current = NULL;
  struct Context* const context = probe_context_of(llama);
  if (context == NULL) {
    return real(llama, *argument);
  }
  struct Batch batch = {0};
  if (context->knows_batch) {
    memcpy(&batch, argument, sizeof batch);
  }
  struct Sums sums;
  sum_up(llama, &batch, &sums);
  struct ProbePass pass = {.type = kProbeRecordPass,
                           .flags = flags,
                           .context = context->number,
                           .pass = ++context->passes,
                           .tokens = batch.n_tokens > 0 ? (uint32_t)batch.n_tokens : 0,
                           .outputs = sums.outputs,
                           .sequences = sums.count,
                           .other_sequences = sums.others,
                           .other_tokens = sums.other_tokens,
                           .thread = thread_number(),
                           .told_tokens =
                               tells_tokens(&batch, &sums) ? (uint32_t)batch.n_tokens : 0};
  pass.flags |= batch.embd != NULL ? kProbePassEmbeddings : 0;
  pass.flags |= sums.shared ? kProbePassSharedTokens : 0;
  pass.begin = probe_now();
  probe_begin_pass(context, pass.begin);
  probe_current = context;
  current_frame = frame;
  pass.result = real(llama, *argument);
  probe_current = NULL;
  probe_end_pass(context);
  pass.end = probe_now();
  pass.flags |= context->own_callback ? kProbePassOwnCallback : 0;
  pass.flags |= context->lost_segment ? kProbePassLost : 0;
  write_pass(context, &pass, &batch, &sums);
  return pass.result;
}

static int32_t on_decode(LlamaContext* llama, struct ByValue batch) {
  return follow(probe_library.decode, llama, &batch, 0);
}

static int32_t on_encode(LlamaContext* llama, struct ByValue batch) {
  return follow(probe_library.encode, llama, &batch, kProbePassEncode);
}

static void on_free_context(LlamaContext* llama) {
  probe_forget_context(llama);
  void (*const real)(LlamaContext*) = probe_library.free_context;
  real(llama);
}

/* ---- the cache ---- */

static void tell_memory(void* memory, uint16_t what, int32_t sequence, int32_t destination,
                        int32_t from, int32_t to, int32_t delta) {
  struct Context* const context = probe_context_with_memory(memory);
  if (context == NULL) {
    return;
  }
  union ProbeCell* const cell = probe_next_cell(&context->writer);
  if (cell == NULL) {
    return;
  }
  cell->memory = (struct ProbeMemory){.type = kProbeRecordMemory,
                                      .what = what,
                                      .context = context->number,
                                      .at = probe_now(),
                                      .sequence = sequence,
                                      .destination = destination,
                                      .from = from,
                                      .to = to,
                                      .delta = delta};
  probe_commit(&context->writer);
}

static void on_clear(void* memory, bool data) {
  void (*const real)(void*, bool) = probe_library.memory_clear;
  real(memory, data);
  tell_memory(memory, kProbeMemoryClear, -1, -1, -1, -1, 0);
}

static bool on_remove(void* memory, int32_t sequence, int32_t from, int32_t to) {
  bool (*const real)(void*, int32_t, int32_t, int32_t) = probe_library.memory_remove;
  const bool done = real(memory, sequence, from, to);
  if (done) {
    tell_memory(memory, kProbeMemoryRemove, sequence, -1, from, to, 0);
  }
  return done;
}

static void on_copy(void* memory, int32_t source, int32_t destination, int32_t from, int32_t to) {
  void (*const real)(void*, int32_t, int32_t, int32_t, int32_t) = probe_library.memory_copy;
  real(memory, source, destination, from, to);
  tell_memory(memory, kProbeMemoryCopy, source, destination, from, to, 0);
}

static void on_keep(void* memory, int32_t sequence) {
  void (*const real)(void*, int32_t) = probe_library.memory_keep;
  real(memory, sequence);
  tell_memory(memory, kProbeMemoryKeep, sequence, -1, -1, -1, 0);
}

static void on_add(void* memory, int32_t sequence, int32_t from, int32_t to, int32_t delta) {
  void (*const real)(void*, int32_t, int32_t, int32_t, int32_t) = probe_library.memory_add;
  real(memory, sequence, from, to, delta);
  tell_memory(memory, kProbeMemoryAdd, sequence, -1, from, to, delta);
}

static void on_divide(void* memory, int32_t sequence, int32_t from, int32_t to, int divisor) {
  void (*const real)(void*, int32_t, int32_t, int32_t, int) = probe_library.memory_divide;
  real(memory, sequence, from, to, divisor);
  tell_memory(memory, kProbeMemoryDivide, sequence, -1, from, to, divisor);
}

/* ---- models ---- */

static LlamaModel* on_load_model(const char* path, struct ByValue params) {
  LlamaModel* (*const real)(const char*, struct ByValue) = probe_library.load_model;
  const uint64_t begin = probe_now();
  LlamaModel* const model = real(path, params);
  probe_remember_model(model, path, begin, probe_now());
  return model;
}

static LlamaModel* on_load_model_old(const char* path, struct ByValue params) {
  LlamaModel* (*const real)(const char*, struct ByValue) = probe_library.load_model_old;
  const uint64_t begin = probe_now();
  LlamaModel* const model = real(path, params);
  probe_remember_model(model, path, begin, probe_now());
  return model;
}

/* ---- which is called in place of which ---- */

struct Wrapped {
  const char* name;
  void* _Atomic* real;
  const void* wrapper;
};

static void wrap(const struct link_map* object, const struct Wrapped* functions, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    void* const real = probe_find_symbol(object, functions[i].name);
    if (real == NULL) {
      continue;
    }
    atomic_store(functions[i].real, real);
    if (!probe_redirect_symbol(object, functions[i].name, functions[i].wrapper)) {
      atomic_store(functions[i].real, NULL);
    }
  }
}

#define WRAPPED(name, member, wrapper) \
  { name, (void* _Atomic*)&probe_library.member, (const void*)(wrapper) }

void probe_wrap_functions(const struct link_map* llama, const struct link_map* ggml) {
  const struct Wrapped of_llama[] = {
      WRAPPED("llama_decode", decode, on_decode),
      WRAPPED("llama_encode", encode, on_encode),
      WRAPPED("llama_free", free_context, on_free_context),
      WRAPPED("llama_model_load_from_file", load_model, on_load_model),
      WRAPPED("llama_load_model_from_file", load_model_old, on_load_model_old),
      WRAPPED("llama_memory_clear", memory_clear, on_clear),
      WRAPPED("llama_memory_seq_rm", memory_remove, on_remove),
      WRAPPED("llama_memory_seq_cp", memory_copy, on_copy),
      WRAPPED("llama_memory_seq_keep", memory_keep, on_keep),
      WRAPPED("llama_memory_seq_add", memory_add, on_add),
      WRAPPED("llama_memory_seq_div", memory_divide, on_divide),
  };
  const struct Wrapped of_ggml[] = {
      WRAPPED("ggml_backend_sched_set_eval_callback", set_eval_callback,
              probe_on_set_eval_callback),
      WRAPPED("ggml_backend_reg_get_proc_address", get_proc_address, probe_on_get_proc_address),
      WRAPPED("ggml_backend_free", free_backend, probe_on_free_backend),
  };
  wrap(llama, of_llama, sizeof of_llama / sizeof *of_llama);
  wrap(ggml, of_ggml, sizeof of_ggml / sizeof *of_ggml);
}
