/* What libfake_llama.so calls of libfake_ggml.so: see fake_llama.h. */
#ifndef ENPROF_FAKE_GGML_H
#define ENPROF_FAKE_GGML_H

#include "support/fake_llama.h"

/* NOLINTBEGIN(readability-identifier-naming): constants, in C */
enum { kFakeNone, kFakeView, kFakeMul, kFakeRmsNorm, kFakeMulMat, kFakeGetRows, kFakeUnary };
enum { kFakeOutput = 2, kFakeCompute = 16 };
/* NOLINTEND(readability-identifier-naming) */

struct FakePool;
struct FakeInit {
  size_t mem_size;
  void* mem_buffer;
  bool no_alloc;
};
struct FakeBackend {
  FakeAbort abort;
  void* abort_data;
  bool is_gpu;
};
struct FakeSched {
  FakeEval eval;
  void* eval_data;
  struct FakeBackend* backend;
};

struct FakePool* ggml_init(struct FakeInit params);
void ggml_free(struct FakePool* pool);
struct FakeTensor* ggml_new_tensor_2d(struct FakePool* pool, int type, int64_t columns,
                                      int64_t rows);
struct FakeTensor* ggml_set_name(struct FakeTensor* tensor, const char* name);
struct FakeTensor* ggml_mul(struct FakePool* pool, struct FakeTensor* a, struct FakeTensor* b);
struct FakeTensor* ggml_view_1d(struct FakePool* pool, struct FakeTensor* a, int64_t count,
                                size_t offset);
void* ggml_backend_reg_get_proc_address(void* registry, const char* name);
void ggml_backend_free(struct FakeBackend* backend);
void ggml_backend_sched_set_eval_callback(struct FakeSched* sched, FakeEval callback, void* data);
bool ggml_backend_sched_graph_compute(struct FakeSched* sched, struct FakeTensor** nodes,
                                      int count);

#endif
