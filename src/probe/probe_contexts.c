/* The contexts of llama.cpp that are followed, and what the reader is told of them. */
#include "probe/probe.h"

#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kContexts = kProbeRings, kModels = 8, kPathBytes = 512 };

static struct Context contexts[kContexts];
static _Atomic uint32_t next_number = 1;

struct Model {
  _Atomic(LlamaModel*) model;
  char path[kPathBytes];
  uint64_t begin;
  uint64_t end;
};
static struct Model models[kModels];
static _Atomic uint32_t next_model;

/* ---- models ---- */

void probe_remember_model(LlamaModel* model, const char* path, uint64_t begin, uint64_t end) {
  if (model == NULL || path == NULL || probe_slot() == NULL) {
    return;
  }
  /* The oldest is forgotten: programs load few. */
  struct Model* const entry = &models[atomic_fetch_add(&next_model, 1) % kModels];
  atomic_store(&entry->model, NULL);
  memset(entry->path, 0, sizeof entry->path);
  probe_copy_text(entry->path, sizeof entry->path - 1, path);
  entry->begin = begin;
  entry->end = end;
  atomic_store(&entry->model, model);
}

static void write_text(struct Writer* writer, uint32_t context, uint8_t text, const char* value) {
  const size_t size = strlen(value);
  for (size_t done = 0; done < size;) {
    union ProbeCell* const cell = probe_next_cell(writer);
    if (cell == NULL) {
      return;
    }
    const size_t left = size - done;
    const size_t count = left < sizeof cell->text.piece ? left : sizeof cell->text.piece;
    cell->text.type = kProbeRecordText;
    cell->text.text = text;
    cell->text.bytes = (uint8_t)count;
    cell->text.context = context;
    memcpy(cell->text.piece, value + done, count);
    done += count;
  }
}

static void* find(const char* name) { return probe_find_symbol(probe_library.llama, name); }

static uint32_t ask_number(const char* name, const void* of) {
  uint32_t (*const function)(const void*) = (uint32_t(*)(const void*))find(name);
  return function != NULL && of != NULL ? function(of) : 0;
}

static uint64_t ask_size(const char* name, const void* of) {
  uint64_t (*const function)(const void*) = (uint64_t(*)(const void*))find(name);
  return function != NULL && of != NULL ? function(of) : 0;
}

static void tell_model(struct Context* context, const void* model) {
  char text[256];
  int32_t (*const value_of)(const void*, const char*, char*, size_t) =
      (int32_t(*)(const void*, const char*, char*, size_t))find("llama_model_meta_val_str");
  if (value_of != NULL) {
    if (value_of(model, "general.name", text, sizeof text) > 0) {
      write_text(&context->writer, context->number, kProbeTextModelName, text);
    }
    if (value_of(model, "general.architecture", text, sizeof text) > 0) {
      write_text(&context->writer, context->number, kProbeTextArchitecture, text);
    }
  }
  int32_t (*const describe)(const void*, char*, size_t) =
      (int32_t(*)(const void*, char*, size_t))find("llama_model_desc");
  if (describe != NULL && describe(model, text, sizeof text) > 0) {
    write_text(&context->writer, context->number, kProbeTextDescription, text);
  }
  for (size_t i = 0; i < kModels; ++i) {
    if (atomic_load(&models[i].model) == model) {
      union ProbeCell* const cell = probe_next_cell(&context->writer);
      if (cell != NULL) {
        cell->model = (struct ProbeModel){.type = kProbeRecordModel,
                                          .loaded = 1,
                                          .context = context->number,
                                          .begin = models[i].begin,
                                          .end = models[i].end};
      }
      write_text(&context->writer, context->number, kProbeTextModelPath, models[i].path);
    }
  }
}

static void tell_context(struct Context* context, const LlamaContext* llama) {
  union ProbeCell* const cell = probe_next_cell(&context->writer);
  if (cell == NULL) {
    return;
  }
  const char* const fusion = getenv("GGML_CPU_DISABLE_FUSION");
  const void* (*const model_of)(const LlamaContext*) =
      (const void* (*)(const LlamaContext*))find("llama_get_model");
  const void* const model = model_of != NULL ? model_of(llama) : NULL;
  cell->context = (struct ProbeContext){
      .type = kProbeRecordContext,
      .fusion = fusion != NULL && atoi(fusion) == 1 ? 0 : 1,
      .context = context->number,
      .at = probe_now(),
      .n_ctx = ask_number("llama_n_ctx", llama),
      .n_batch = ask_number("llama_n_batch", llama),
      .n_ubatch = ask_number("llama_n_ubatch", llama),
      .n_seq_max = ask_number("llama_n_seq_max", llama),
      .model_bytes = ask_size("llama_model_size", model),
      .model_parameters = ask_size("llama_model_n_params", model),
      .layers = ask_number("llama_model_n_layer", model),
      .embedding = ask_number("llama_model_n_embd", model),
      .heads = (uint16_t)ask_number("llama_model_n_head", model),
      .kv_heads = (uint16_t)ask_number("llama_model_n_head_kv", model),
      .threads = ask_number("llama_n_threads", llama),
  };
  if (model != NULL) {
    tell_model(context, model);
  }
  probe_commit(&context->writer);
}

/* ---- contexts ---- */

struct Context* probe_known_context(LlamaContext* llama) {
  for (size_t i = 0; i < kContexts; ++i) {
    if (atomic_load_explicit(&contexts[i].llama, memory_order_acquire) == llama) {
      return &contexts[i];
    }
  }
  return NULL;
}

/* The workspace of a place stays for the next context in it. */
static void reset(struct Context* context) {
  struct Workspace* const work = context->work;
  uint64_t* fingerprints[kKnownGraphs];
  for (size_t i = 0; i < kKnownGraphs; ++i) {
    fingerprints[i] = context->graphs[i].fingerprints;
  }
  const size_t llama_bytes = sizeof context->llama;
  memset((char*)context + llama_bytes, 0, sizeof *context - llama_bytes);
  context->work = work;
  for (size_t i = 0; i < kKnownGraphs; ++i) {
    context->graphs[i].fingerprints = fingerprints[i];
  }
}

static void set_up(struct Context* context, struct ProbeSlotHeader* slot, uint32_t ring,
                   LlamaContext* llama, uint32_t knows) {
  reset(context);
  context->number = atomic_fetch_add(&next_number, 1);
  context->ring = ring;
  context->writer = probe_writer(slot, ring);
  void* (*const memory_of)(LlamaContext*) = probe_library.memory_of;
  context->memory = memory_of != NULL ? memory_of(llama) : NULL;
  context->knows_batch = (knows & kProbeKnowsBatch) != 0;
  context->wants_operations = (probe_wanted() & kProbeWantsOperations) != 0 &&
                              (knows & kProbeKnowsGraphs) == kProbeKnowsGraphs &&
                              probe_make_workspace(context);
  tell_context(context, llama);
  probe_hook_context(context, llama);
}

struct Context* probe_context_of(LlamaContext* llama) {
  struct ProbeSlotHeader* const slot = probe_slot();
  if (slot == NULL || llama == NULL) {
    return NULL;
  }
  struct Context* const known = probe_known_context(llama);
  if (known != NULL) {
    return known;
  }
  const uint32_t knows = probe_check_library(slot);
  for (uint32_t i = 0; i < kContexts; ++i) {
    LlamaContext* none = NULL;
    if (atomic_compare_exchange_strong(&contexts[i].llama, &none, llama)) {
      set_up(&contexts[i], slot, i, llama, knows);
      return &contexts[i];
    }
  }
  atomic_fetch_add_explicit(&slot->contexts_left_out, 1, memory_order_relaxed);
  return NULL;
}

struct Context* probe_context_with_memory(const void* memory) {
  for (size_t i = 0; memory != NULL && i < kContexts; ++i) {
    if (atomic_load_explicit(&contexts[i].llama, memory_order_acquire) != NULL &&
        contexts[i].memory == memory) {
      return &contexts[i];
    }
  }
  return NULL;
}

void probe_forget_context(LlamaContext* llama) {
  struct Context* const context =
      llama != NULL && probe_slot() != NULL ? probe_known_context(llama) : NULL;
  if (context == NULL) {
    return;
  }
  union ProbeCell* const cell = probe_next_cell(&context->writer);
  if (cell != NULL) {
    cell->context_end = (struct ProbeContextEnd){.type = kProbeRecordContextEnd,
                                                 .context = context->number,
                                                 .at = probe_now()};
    probe_commit(&context->writer);
  }
  context->memory = NULL;
  atomic_store_explicit(&context->llama, NULL, memory_order_release);
}

void probe_forget_all_contexts(void) {
  for (size_t i = 0; i < kContexts; ++i) {
    atomic_store(&contexts[i].llama, NULL);
  }
  for (size_t i = 0; i < kModels; ++i) {
    atomic_store(&models[i].model, NULL);
  }
  probe_forget_thread();
}

void probe_note_own_callback(void) {
  struct ProbeSlotHeader* const slot = probe_slot();
  if (slot != NULL) {
    atomic_fetch_add_explicit(&slot->own_callbacks, 1, memory_order_relaxed);
  }
}
