/* A library with the functions of llama.cpp that programs and the probe call, and none of its work:
 * libfake_llama.so with libfake_ggml.so below it. Of two kinds, by what they are compiled with:
 *
 *   (nothing)       structs as llama.cpp has them
 *   FAKE_STRANGE    another release: a tensor and a batch with one more field in front
 *
 * A pass computes a graph of kFakeLayers layers: for each node, it calls what the program or the
 * probe has set, as ggml's scheduler and CPU backend do. C11.
 */
#ifndef ENPROF_FAKE_LLAMA_H
#define ENPROF_FAKE_LLAMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* It is C: constants that are extents are enumerators, and types have names by typedef. */
/* NOLINTBEGIN(readability-identifier-naming,modernize-use-using) */
enum { kFakeLayers = 2, kFakeSources = 10 };

struct FakeTensor {
#ifdef FAKE_STRANGE
  uint64_t strange;
#endif
  int type;
  void* buffer;
  int64_t ne[4];
  size_t nb[4];
  int op;
  int32_t op_params[16];
  int32_t flags;
  struct FakeTensor* src[kFakeSources];
  struct FakeTensor* view_src;
  size_t view_offs;
  void* data;
  char name[64];
  void* extra;
  char padding[8];
};

struct FakeBatch {
#ifdef FAKE_STRANGE
  uint64_t strange;
#endif
  int32_t n_tokens;
  int32_t* token;
  float* embd;
  int32_t* pos;
  int32_t* n_seq_id;
  int32_t** seq_id;
  int8_t* logits;
};

typedef bool (*FakeAbort)(void* data);
typedef bool (*FakeEval)(struct FakeTensor* node, bool ask, void* data);

struct FakeContextParams {
  uint32_t n_ctx;
  FakeEval cb_eval;
  void* cb_eval_data;
  FakeAbort abort;
  void* abort_data;
  bool on_gpu;
  uint32_t throw_at; /* this pass, from 1, ends with an error that is passed to `fail` */
  void (*fail)(void);
};

typedef struct FakeModel FakeModel;
typedef struct FakeContext FakeContext;

FakeModel* llama_model_load_from_file(const char* path, struct FakeContextParams unused);
void llama_model_free(FakeModel* model);
FakeContext* llama_init_from_model(FakeModel* model, struct FakeContextParams params);
void llama_free(FakeContext* context);
struct FakeBatch llama_batch_get_one(int32_t* tokens, int32_t count);
int32_t llama_decode(FakeContext* context, struct FakeBatch batch);
int32_t llama_encode(FakeContext* context, struct FakeBatch batch);
void llama_set_abort_callback(FakeContext* context, FakeAbort callback, void* data);
FakeModel* llama_get_model(const FakeContext* context);
void* llama_get_memory(const FakeContext* context);
int32_t llama_memory_seq_pos_max(void* memory, int32_t sequence);
bool llama_memory_seq_rm(void* memory, int32_t sequence, int32_t from, int32_t to);
void llama_memory_clear(void* memory, bool data);
/* NOLINTEND(readability-identifier-naming,modernize-use-using) */

#ifdef __cplusplus
}
#endif

#endif
