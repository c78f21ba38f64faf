/* Which llama.cpp this is, and whether its structs are those that we know: found out by calling
 * functions that it exports and looking at what they made. */
#include "probe/probe.h"

#include <sched.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kPoolBytes = 65536, kTokens = 3 };

/* The struct of a batch is what llama_batch_get_one makes. */
static bool knows_batch(void) {
  struct ByValue (*get_one)(int32_t*, int32_t) =
      (struct ByValue(*)(int32_t*, int32_t))probe_find_symbol(probe_library.llama,
                                                               "llama_batch_get_one");
  if (get_one == NULL) {
    return false;
  }
  int32_t tokens[kTokens] = {0};
  const struct ByValue made = get_one(tokens, kTokens);
  struct Batch batch;
  memcpy(&batch, &made, sizeof batch);
  return batch.n_tokens == kTokens && batch.token == tokens && batch.embd == NULL &&
         batch.pos == NULL && batch.n_seq_id == NULL && batch.seq_id == NULL &&
         batch.logits == NULL;
}

struct InitParams {
  size_t mem_size;
  void* mem_buffer;
  bool no_alloc;
};

struct Maker {
  void* (*init)(struct InitParams);
  void (*free)(void*);
  struct Tensor* (*new_2d)(void*, int, int64_t, int64_t);
  struct Tensor* (*set_name)(struct Tensor*, const char*);
  struct Tensor* (*mul)(void*, struct Tensor*, struct Tensor*);
  struct Tensor* (*view_1d)(void*, struct Tensor*, int64_t, size_t);
  void (*set_output)(struct Tensor*);
  void* (*new_graph)(void*, size_t, bool);
  void (*expand)(void*, struct Tensor*);
  const char* (*op_name)(int);
  const char* (*op_desc)(const struct Tensor*);
};

static bool find_maker(struct Maker* maker) {
  const struct link_map* const ggml = probe_library.ggml;
  const struct {
    void** to;
    const char* name;
  } wanted[] = {
      {(void**)&maker->init, "ggml_init"},
      {(void**)&maker->free, "ggml_free"},
      {(void**)&maker->new_2d, "ggml_new_tensor_2d"},
      {(void**)&maker->set_name, "ggml_set_name"},
      {(void**)&maker->mul, "ggml_mul"},
      {(void**)&maker->view_1d, "ggml_view_1d"},
      {(void**)&maker->set_output, "ggml_set_output"},
      {(void**)&maker->new_graph, "ggml_new_graph_custom"},
      {(void**)&maker->expand, "ggml_build_forward_expand"},
      {(void**)&maker->op_name, "ggml_op_name"},
      {(void**)&maker->op_desc, "ggml_op_desc"},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
    *wanted[i].to = probe_find_symbol(ggml, wanted[i].name);
    if (*wanted[i].to == NULL) {
      return false;
    }
  }
  return true;
}

static bool has_shape(const struct Tensor* tensor, int64_t columns, int64_t rows) {
  return tensor->ne[0] == columns && tensor->ne[1] == rows && tensor->ne[2] == 1 &&
         tensor->ne[3] == 1 && tensor->nb[0] == sizeof(float) &&
         tensor->nb[1] == sizeof(float) * (size_t)columns &&
         tensor->nb[2] == sizeof(float) * (size_t)columns * (size_t)rows;
}

/* Makes tensors of known facts, and finds the facts where our struct has them. */
static bool is_tensor_as_known(const struct Maker* maker, void* pool) {
  struct Tensor* const a = maker->new_2d(pool, 0, 7, 5);
  struct Tensor* const b = maker->new_2d(pool, 0, 7, 5);
  if (a == NULL || b == NULL) {
    return false;
  }
  maker->set_name(a, "enprof_a");
  struct Tensor* const product = maker->mul(pool, a, b);
  struct Tensor* const view = maker->view_1d(pool, a, 3, 2 * sizeof(float));
  void* const graph = maker->new_graph(pool, 16, false);
  if (product == NULL || view == NULL || graph == NULL) {
    return false;
  }
  const int before = product->flags;
  maker->set_output(product);
  maker->expand(graph, product);
  const char* const product_name = maker->op_name(product->op);
  const char* const product_text = maker->op_desc(product);
  const char* const view_name = maker->op_name(view->op);
  return a->type == 0 && has_shape(a, 7, 5) && has_shape(product, 7, 5) && a->op == 0 &&
         strcmp(a->name, "enprof_a") == 0 && a->src[0] == NULL && a->view_src == NULL &&
         product->src[0] == a && product->src[1] == b && product->src[2] == NULL &&
         product->view_src == NULL && view->view_src == a &&
         view->view_offs == 2 * sizeof(float) && view->ne[0] == 3 && before == 0 &&
         product->flags == (kFlagOutput | kFlagCompute) && product_name != NULL &&
         strcmp(product_name, "MUL") == 0 && product_text != NULL &&
         strcmp(product_text, "MUL") == 0 && view_name != NULL && strcmp(view_name, "VIEW") == 0;
}

static bool knows_tensor(void) {
  static char pool_memory[kPoolBytes] __attribute__((aligned(64)));
  struct Maker maker;
  if (!find_maker(&maker)) {
    return false;
  }
  void* const pool =
      maker.init((struct InitParams){.mem_size = sizeof pool_memory, .mem_buffer = pool_memory,
                                     .no_alloc = true});
  if (pool == NULL) {
    return false;
  }
  const bool known = is_tensor_as_known(&maker, pool);
  maker.free(pool);
  return known;
}

static void ask_text(char* to, size_t size, const struct link_map* object, const char* function) {
  const char* (*const ask)(void) = (const char* (*)(void))probe_find_symbol(object, function);
  probe_copy_text(to, size, ask != NULL ? ask() : NULL);
}

static uint32_t check(struct ProbeSlotHeader* slot) {
  const struct link_map* const llama = probe_library.llama;
  const struct link_map* const ggml = probe_library.ggml;
  uint32_t knows = knows_batch() ? kProbeKnowsBatch : 0;
  /* What it refers to by name, it calls through the dynamic linker. */
  if (probe_library.set_eval_callback != NULL &&
      probe_refers_to(llama, "ggml_backend_sched_set_eval_callback")) {
    knows |= kProbeKnowsEval;
  }
  if (probe_library.get_proc_address != NULL && probe_library.free_backend != NULL &&
      probe_refers_to(llama, "ggml_backend_reg_get_proc_address") &&
      probe_refers_to(llama, "ggml_backend_free") &&
      probe_find_symbol(llama, "llama_set_abort_callback") != NULL) {
    knows |= kProbeKnowsAbort;
  }
  if (knows_tensor()) {
    knows |= kProbeKnowsTensor;
  }
  atomic_store(&probe_library.memory_of, probe_find_symbol(llama, "llama_get_memory"));
  atomic_store(&probe_library.last_position,
               probe_find_symbol(llama, "llama_memory_seq_pos_max"));
  ask_text(slot->llama_version, sizeof slot->llama_version, llama, "llama_version");
  ask_text(slot->ggml_version, sizeof slot->ggml_version, ggml, "ggml_version");
  ask_text(slot->ggml_commit, sizeof slot->ggml_commit, ggml, "ggml_commit");
  return knows;
}

uint32_t probe_check_library(struct ProbeSlotHeader* slot) {
  /* A child that was forked has another slot. */
  if (atomic_load_explicit(&probe_library.state, memory_order_acquire) == kChecked &&
      atomic_load_explicit(&slot->checked, memory_order_acquire) != 0) {
    return atomic_load_explicit(&slot->knows, memory_order_relaxed);
  }
  uint32_t unchecked = atomic_load(&probe_library.state) == kChecked ? kChecked : kUnchecked;
  if (!atomic_compare_exchange_strong(&probe_library.state, &unchecked, kChecking)) {
    while (atomic_load(&probe_library.state) == kChecking) {
      sched_yield();
    }
    return atomic_load(&slot->knows);
  }
  const uint32_t knows = check(slot);
  atomic_store_explicit(&slot->knows, knows, memory_order_relaxed);
  atomic_store_explicit(&slot->checked, 1, memory_order_release);
  atomic_store_explicit(&probe_library.state, kChecked, memory_order_release);
  return knows;
}
