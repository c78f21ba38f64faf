/* See fake_llama.h: what of ggml is a library of its own. */
#include "support/fake_ggml.h"

#include <stdlib.h>
#include <string.h>

static const char* const kNames[] = {"NONE", "VIEW", "MUL", "RMS_NORM", "MUL_MAT", "GET_ROWS",
                                     "UNARY"};

struct FakePool {
  char* memory;
  size_t size;
  size_t used;
};

struct FakePool* ggml_init(struct FakeInit params) {
  struct FakePool* const pool = malloc(sizeof *pool);
  *pool = (struct FakePool){.memory = params.mem_buffer, .size = params.mem_size};
  return pool;
}
void ggml_free(struct FakePool* pool) { free(pool); }

static void* take(struct FakePool* pool, size_t size) {
  size = (size + 15) / 16 * 16;
  if (pool->used + size > pool->size) {
    return NULL;
  }
  void* const memory = pool->memory + pool->used;
  pool->used += size;
  return memset(memory, 0, size);
}

struct FakeTensor* ggml_new_tensor_2d(struct FakePool* pool, int type, int64_t columns,
                                      int64_t rows) {
  struct FakeTensor* const tensor = take(pool, sizeof *tensor);
  if (tensor != NULL) {
    tensor->type = type;
    const int64_t extents[4] = {columns, rows, 1, 1};
    memcpy(tensor->ne, extents, sizeof extents);
    tensor->nb[0] = sizeof(float);
    tensor->nb[1] = tensor->nb[0] * (size_t)columns;
    tensor->nb[2] = tensor->nb[3] = tensor->nb[1] * (size_t)rows;
  }
  return tensor;
}
struct FakeTensor* ggml_set_name(struct FakeTensor* tensor, const char* name) {
  strncpy(tensor->name, name, sizeof tensor->name - 1);
  return tensor;
}
struct FakeTensor* ggml_mul(struct FakePool* pool, struct FakeTensor* a, struct FakeTensor* b) {
  struct FakeTensor* const made = ggml_new_tensor_2d(pool, a->type, a->ne[0], a->ne[1]);
  made->op = kFakeMul;
  made->src[0] = a;
  made->src[1] = b;
  return made;
}
struct FakeTensor* ggml_view_1d(struct FakePool* pool, struct FakeTensor* a, int64_t count,
                                size_t offset) {
  struct FakeTensor* const made = ggml_new_tensor_2d(pool, a->type, count, 1);
  made->op = kFakeView;
  made->src[0] = made->view_src = a;
  made->view_offs = offset;
  return made;
}
void ggml_set_output(struct FakeTensor* tensor) { tensor->flags |= kFakeOutput; }
void* ggml_new_graph_custom(struct FakePool* pool, size_t size, bool grads) {
  (void)grads;
  return take(pool, size);
}
void ggml_build_forward_expand(void* graph, struct FakeTensor* tensor) {
  (void)graph;
  tensor->flags |= kFakeCompute;
}
const char* ggml_op_name(int op) { return kNames[op]; }
const char* ggml_op_desc(const struct FakeTensor* tensor) {
  return tensor->op == kFakeUnary ? "SILU" : kNames[tensor->op];
}
const char* ggml_version(void) { return "0.0.1"; }
const char* ggml_commit(void) { return "fake"; }

/* ---- backends ---- */

static void set_abort(struct FakeBackend* backend, FakeAbort callback, void* data) {
  backend->abort = callback;
  backend->abort_data = data;
}
void* ggml_backend_reg_get_proc_address(void* registry, const char* name) {
  (void)registry;
  return strcmp(name, "ggml_backend_set_abort_callback") == 0 ? (void*)set_abort : NULL;
}
void ggml_backend_free(struct FakeBackend* backend) { free(backend); }
void* ggml_backend_get_device(struct FakeBackend* backend) { return backend; }
int ggml_backend_dev_type(void* device) { return ((struct FakeBackend*)device)->is_gpu ? 1 : 0; }

void ggml_backend_sched_set_eval_callback(struct FakeSched* sched, FakeEval callback, void* data) {
  sched->eval = callback;
  sched->eval_data = data;
}
int ggml_backend_sched_get_n_backends(struct FakeSched* sched) {
  (void)sched;
  return 1;
}
struct FakeBackend* ggml_backend_sched_get_backend(struct FakeSched* sched, int index) {
  (void)index;
  return sched->backend;
}

/* As ggml-backend.cpp splits, and ggml-cpu.c computes. */
bool ggml_backend_sched_graph_compute(struct FakeSched* sched, struct FakeTensor** nodes,
                                      int count) {
  for (int first = 0; first < count;) {
    int last = count - 1;
    bool wanted = false;
    if (sched->eval != NULL) {
      for (last = first; last < count; ++last) {
        wanted = sched->eval(nodes[last], true, sched->eval_data);
        if (wanted || last + 1 == count) {
          break;
        }
      }
    }
    for (int node = first; node <= last; ++node) {
      const bool is_empty = nodes[node]->op == kFakeNone || nodes[node]->op == kFakeView;
      if (!is_empty && !sched->backend->is_gpu && sched->backend->abort != NULL &&
          sched->backend->abort(sched->backend->abort_data)) {
        return false;
      }
    }
    if (wanted && !sched->eval(nodes[last], false, sched->eval_data)) {
      break;
    }
    first = last + 1;
  }
  return true;
}
