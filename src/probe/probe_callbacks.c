/* llama.cpp's callbacks, shared with the program's own: both are called, and the program's decides.
 *
 * abort    llama_context sets it on each backend, through a function that it asks the backend's
 *          registry for by name. We answer with a function of ours, which sets our callback with the
 *          program's behind it. So the program's is known however it was given.
 * eval     llama_decode sets it before it builds a graph. Ours only looks. Where the program has one
 *          of its own, graphs are split as that demands: it is left alone, and nothing is timed.
 */
#include "probe/probe.h"

#include <string.h>

typedef void (*SetAbortCallback)(Backend*, AbortCallback, void*);

/* ---- abort ---- */

/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kBackends = 64, kSetters = 4 };

struct Chained {
  _Atomic(Backend*) backend; /* null: free */
  _Atomic(AbortCallback) callback;
  void* _Atomic data;
};

static struct Chained chains[kBackends];
static atomic_bool saw_setter;

static struct Chained* chain_of(Backend* backend, bool make) {
  for (size_t i = 0; i < kBackends; ++i) {
    if (atomic_load_explicit(&chains[i].backend, memory_order_acquire) == backend) {
      return &chains[i];
    }
  }
  for (size_t i = 0; make && i < kBackends; ++i) {
    Backend* none = NULL;
    if (atomic_compare_exchange_strong(&chains[i].backend, &none, backend)) {
      return &chains[i];
    }
  }
  return NULL;
}

static bool on_abort(void* data) {
  if (probe_current != NULL) {
    probe_on_executed(probe_current);
  }
  struct Chained* const chain = data;
  const AbortCallback callback = atomic_load_explicit(&chain->callback, memory_order_relaxed);
  return callback != NULL &&
         callback(atomic_load_explicit(&chain->data, memory_order_relaxed));
}

static void set_abort_callback(SetAbortCallback real, Backend* backend, AbortCallback callback,
                               void* data) {
  atomic_store(&saw_setter, true);
  struct Chained* const chain =
      (probe_wanted() & kProbeWantsOperations) == 0 ? NULL : chain_of(backend, true);
  if (chain == NULL) {
    real(backend, callback == on_abort ? NULL : callback, data);
    return;
  }
  if (callback != on_abort) {
    atomic_store(&chain->callback, NULL); /* never the new one with the old data */
    atomic_store(&chain->data, data);
    atomic_store(&chain->callback, callback);
  }
  real(backend, on_abort, chain);
}

/* One for each kind of backend that has such a function. */
static _Atomic(SetAbortCallback) setters[kSetters];
#define SETTER(number)                                                                       \
  static void setter_##number(Backend* backend, AbortCallback callback, void* data) {         \
    set_abort_callback(atomic_load(&setters[number]), backend, callback, data);              \
  }
SETTER(0)
SETTER(1)
SETTER(2)
SETTER(3)
static const SetAbortCallback kOurSetters[kSetters] = {setter_0, setter_1, setter_2, setter_3};

void* probe_on_get_proc_address(Register* backends, const char* name) {
  void* (*const real)(Register*, const char*) = probe_library.get_proc_address;
  void* const found = real(backends, name);
  if (found == NULL || name == NULL || strcmp(name, "ggml_backend_set_abort_callback") != 0 ||
      probe_slot() == NULL) {
    return found;
  }
  for (size_t i = 0; i < kSetters; ++i) {
    SetAbortCallback none = NULL;
    if (atomic_compare_exchange_strong(&setters[i], &none, (SetAbortCallback)found) ||
        none == (SetAbortCallback)found) {
      return (void*)kOurSetters[i];
    }
  }
  return found;
}

void probe_on_free_backend(Backend* backend) {
  struct Chained* const chain = backend != NULL ? chain_of(backend, false) : NULL;
  void (*const real)(Backend*) = probe_library.free_backend;
  real(backend);
  if (chain != NULL) {
    atomic_store(&chain->callback, NULL);
    atomic_store(&chain->backend, NULL);
  }
}

void probe_forget_callbacks(void) {
  for (size_t i = 0; i < kSetters; ++i) {
    atomic_store(&setters[i], NULL);
  }
  atomic_store(&saw_setter, false);
}

/* A llama.cpp that sets no callback where the program gives none is told to set one. */
void probe_hook_context(struct Context* context, LlamaContext* llama) {
  if (!context->wants_operations || atomic_load(&saw_setter)) {
    return;
  }
  void (*const set)(LlamaContext*, AbortCallback, void*) = (void (*)(
      LlamaContext*, AbortCallback, void*))probe_find_symbol(probe_library.llama,
                                                             "llama_set_abort_callback");
  if (set != NULL) {
    set(llama, on_abort, NULL);
  }
}

/* ---- eval ---- */

/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kDeviceGpu = 1, kDeviceIntegratedGpu = 2 };

/* A GPU works ahead of the program, and would be stopped after each part of a graph. */
static bool uses_gpu(Sched* sched) {
  const struct link_map* const ggml = probe_library.ggml;
  int (*const count)(Sched*) =
      (int (*)(Sched*))probe_find_symbol(ggml, "ggml_backend_sched_get_n_backends");
  Backend* (*const get)(Sched*, int) =
      (Backend * (*)(Sched*, int)) probe_find_symbol(ggml, "ggml_backend_sched_get_backend");
  void* (*const device_of)(Backend*) =
      (void* (*)(Backend*))probe_find_symbol(ggml, "ggml_backend_get_device");
  int (*const type_of)(void*) = (int (*)(void*))probe_find_symbol(ggml, "ggml_backend_dev_type");
  if (count == NULL || get == NULL || device_of == NULL || type_of == NULL) {
    return true; /* it may */
  }
  for (int i = 0; i < count(sched); ++i) {
    void* const device = device_of(get(sched, i));
    const int type = device != NULL ? type_of(device) : kDeviceGpu;
    if (type == kDeviceGpu || type == kDeviceIntegratedGpu) {
      return true;
    }
  }
  return false;
}

void probe_on_set_eval_callback(Sched* sched, EvalCallback callback, void* data) {
  void (*const real)(Sched*, EvalCallback, void*) = probe_library.set_eval_callback;
  struct Context* const context = probe_current;
  if (context == NULL || !context->wants_operations) {
    real(sched, callback, data);
    return;
  }
  if (callback != NULL) {
    if (!context->own_callback) {
      context->own_callback = true;
      probe_note_own_callback();
    }
    real(sched, callback, data);
    return;
  }
  if (!context->knows_devices) {
    context->knows_devices = true;
    context->on_gpu = uses_gpu(sched);
  }
  context->own_callback = false;
  if (context->on_gpu) {
    context->wants_operations = false;
    real(sched, callback, data);
    return;
  }
  real(sched, probe_on_node, context);
}
