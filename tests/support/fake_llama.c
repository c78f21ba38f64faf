/* See fake_llama.h. */
#include "support/fake_ggml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): constants */
enum { kPool = 65536, kNodes = 64, kWidth = 64, kCached = 256 };

struct FakeModel {
  int unused;
};

struct FakeContext {
  FakeModel* model;
  struct FakeContextParams params;
  struct FakeSched sched;
  struct FakePool* pool;
  char memory[kPool];
  struct FakeTensor* nodes[kNodes];
  int count;
  int32_t built_for; /* tokens; a graph of the same shape is used again */
  int32_t used;
  uint32_t passes;
};

FakeModel* llama_model_load_from_file(const char* path, struct FakeContextParams unused) {
  (void)path;
  (void)unused;
  return calloc(1, sizeof(FakeModel));
}
void llama_model_free(FakeModel* model) { free(model); }

typedef void (*SetAbort)(struct FakeBackend*, FakeAbort, void*);

void llama_set_abort_callback(FakeContext* context, FakeAbort callback, void* data) {
  const SetAbort set =
      (SetAbort)ggml_backend_reg_get_proc_address(NULL, "ggml_backend_set_abort_callback");
  set(context->sched.backend, callback, data);
}

FakeContext* llama_init_from_model(FakeModel* model, struct FakeContextParams params) {
  FakeContext* const context = calloc(1, sizeof *context);
  context->model = model;
  context->params = params;
  context->sched.backend = calloc(1, sizeof *context->sched.backend);
  context->sched.backend->is_gpu = params.on_gpu;
  llama_set_abort_callback(context, params.abort, params.abort_data);
  return context;
}
void llama_free(FakeContext* context) {
  ggml_backend_free(context->sched.backend);
  ggml_free(context->pool);
  free(context);
}

struct FakeBatch llama_batch_get_one(int32_t* tokens, int32_t count) {
  return (struct FakeBatch){.n_tokens = count, .token = tokens};
}

static struct FakeTensor* add(FakeContext* context, int op, const char* name, int layer,
                              struct FakeTensor* a, struct FakeTensor* b) {
  struct FakeTensor* const node =
      ggml_new_tensor_2d(context->pool, 0, kWidth, context->built_for);
  node->op = op;
  node->src[0] = a;
  node->src[1] = b;
  node->flags = kFakeCompute;
  snprintf(node->name, sizeof node->name, "%s-%d", name, layer);
  context->nodes[context->count++] = node;
  return node;
}

static struct FakeTensor* weight(FakeContext* context, const char* name, int layer) {
  struct FakeTensor* const made = ggml_new_tensor_2d(context->pool, 0, kWidth, kWidth);
  snprintf(made->name, sizeof made->name, "blk.%d.%s.weight", layer, name);
  return made;
}

static void build(FakeContext* context, int32_t tokens) {
  ggml_free(context->pool);
  context->pool =
      ggml_init((struct FakeInit){.mem_size = kPool, .mem_buffer = context->memory});
  context->built_for = tokens;
  context->count = 0;
  struct FakeTensor* const table = ggml_new_tensor_2d(context->pool, 0, kWidth, kCached);
  ggml_set_name(table, "token_embd.weight");
  struct FakeTensor* const input = ggml_new_tensor_2d(context->pool, 0, tokens, 1);
  ggml_set_name(input, "inp_tokens");
  struct FakeTensor* x = add(context, kFakeGetRows, "embd", 0, table, input);
  for (int layer = 0; layer < kFakeLayers; ++layer) {
    struct FakeTensor* const norm = add(context, kFakeRmsNorm, "norm", layer, x, NULL);
    x = add(context, kFakeMulMat, "Qcur", layer, weight(context, "attn_q", layer), norm);
    struct FakeTensor* const view = add(context, kFakeView, "view", layer, x, NULL);
    view->view_src = x;
    x = add(context, kFakeUnary, "act", layer, view, NULL);
    x = add(context, kFakeMulMat, "ffn_out", layer, weight(context, "ffn_down", layer), x);
  }
}

static int32_t compute(FakeContext* context, struct FakeBatch batch) {
  if (batch.n_tokens <= 0) {
    return -1;
  }
  if (context->built_for != batch.n_tokens) {
    ggml_backend_sched_set_eval_callback(&context->sched, context->params.cb_eval,
                                         context->params.cb_eval_data);
    build(context, batch.n_tokens);
  }
  if (++context->passes == context->params.throw_at) {
    context->params.fail();
  }
  if (!ggml_backend_sched_graph_compute(&context->sched, context->nodes, context->count)) {
    return 2;
  }
  context->used += batch.n_tokens;
  return 0;
}

int32_t llama_decode(FakeContext* context, struct FakeBatch batch) {
  return compute(context, batch);
}
int32_t llama_encode(FakeContext* context, struct FakeBatch batch) {
  return compute(context, batch);
}
FakeModel* llama_get_model(const FakeContext* context) { return context->model; }
void* llama_get_memory(const FakeContext* context) { return (void*)&context->used; }
int32_t llama_memory_seq_pos_max(void* memory, int32_t sequence) {
  return sequence == 0 ? *(int32_t*)memory - 1 : -1;
}
bool llama_memory_seq_rm(void* memory, int32_t sequence, int32_t from, int32_t to) {
  (void)sequence;
  (void)to;
  *(int32_t*)memory = from < 0 ? 0 : from;
  return true;
}
void llama_memory_clear(void* memory, bool data) {
  (void)data;
  *(int32_t*)memory = 0;
}
const char* llama_version(void) { return "fake 1"; }
uint32_t llama_n_ctx(const FakeContext* context) { return context->params.n_ctx; }
