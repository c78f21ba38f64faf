/* The parts of the probe, a library that the dynamic linker loads into another program as an auditor
 * (LD_AUDIT, rtld-audit(7)). It follows llama.cpp there and writes records (probe_format.h).
 *
 * An auditor lives in a link-map namespace of its own, with a libc of its own. So this code uses of
 * libc only what has no state that the program shares: clocks, system calls, strings. It allocates
 * by mmap alone, and never frees what another thread may still read. Whatever fails, the program
 * goes on as without the probe.
 */
#ifndef ENPROF_PROBE_H
#define ENPROF_PROBE_H

#include "probe/probe_format.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- llama.cpp as we know it (llama.h, ggml.h of the releases of 2026) ---- */

typedef struct LlamaContext LlamaContext;
typedef struct LlamaModel LlamaModel;
typedef struct Sched Sched;
typedef struct Backend Backend;
typedef struct Register Register;
typedef bool (*AbortCallback)(void* data);

struct Batch {
  int32_t n_tokens;
  int32_t* token;
  float* embd;
  int32_t* pos;
  int32_t* n_seq_id;
  int32_t** seq_id;
  int8_t* logits;
};

/* Constants that are extents of arrays are enumerators in C, and have the names of constants. */
/* NOLINTBEGIN(readability-identifier-naming) */
enum { kDimensions = 4, kOpParameters = 16, kSources = 10, kFlagOutput = 2, kFlagCompute = 16 };

struct Tensor {
  int type;
  void* buffer;
  int64_t ne[kDimensions];
  size_t nb[kDimensions];
  int op;
  int32_t op_params[kOpParameters];
  int32_t flags;
  struct Tensor* src[kSources];
  struct Tensor* view_src;
  size_t view_offs;
  void* data;
  char name[64];
  void* extra;
  char padding[8];
};
typedef bool (*EvalCallback)(struct Tensor* node, bool ask, void* data);

/* Any struct that is passed by value: as long as the longest that llama.cpp has, so that what the
 * caller gave is passed on whole, whatever its size. What lies behind it is read and passed, too. */
struct ByValue {
  char bytes[256];
};

enum { kUnchecked = 0, kChecking = 1, kChecked = 2 };

/* ---- functions of the library that is followed; null where it has none ---- */

struct Library {
  struct link_map* llama;
  /* That programs call, and we in their place. */
  _Atomic(int32_t (*)(LlamaContext*, struct ByValue)) decode;
  _Atomic(int32_t (*)(LlamaContext*, struct ByValue)) encode;
  _Atomic(void (*)(LlamaContext*)) free_context;
  _Atomic(LlamaModel* (*)(const char*, struct ByValue)) load_model;
  _Atomic(LlamaModel* (*)(const char*, struct ByValue)) load_model_old;
  _Atomic(void (*)(void*, bool)) memory_clear;
  _Atomic(bool (*)(void*, int32_t, int32_t, int32_t)) memory_remove;
  _Atomic(void (*)(void*, int32_t, int32_t, int32_t, int32_t)) memory_copy;
  _Atomic(void (*)(void*, int32_t)) memory_keep;
  _Atomic(void (*)(void*, int32_t, int32_t, int32_t, int32_t)) memory_add;
  _Atomic(void (*)(void*, int32_t, int32_t, int32_t, int)) memory_divide;
  /* What is known of it; kUnchecked before that. */
  _Atomic uint32_t state;
  /* That we call. */
  _Atomic(void* (*)(LlamaContext*)) memory_of;
  _Atomic(int32_t (*)(void*, int32_t)) last_position;
  struct link_map* ggml; /* llama.cpp's own lower half, a library of its own or the same */
  /* That the library calls, and we in their place. */
  _Atomic(void (*)(Sched*, EvalCallback, void*)) set_eval_callback;
  _Atomic(void* (*)(Register*, const char*)) get_proc_address;
  _Atomic(void (*)(Backend*)) free_backend;
};
extern struct Library probe_library;

/* Looks up a symbol that an object defines; null if it does not. */
void* probe_find_symbol(const struct link_map* object, const char* name);
/* Makes a symbol of an object that is being loaded stand for another address, for all that is bound
 * to it from now on: calls, pointers, dlsym. False where that cannot be done. */
bool probe_redirect_symbol(const struct link_map* object, const char* name, const void* to);
/* Whether the dynamic linker binds this name for an object, at load time or at the first call. */
bool probe_refers_to(const struct link_map* object, const char* name);

/* Finds out what is known of the library, on the first call of a program's thread to it, and writes
 * it into the slot's header. Calls functions of the library. Other threads wait for it then. */
uint32_t probe_check_library(struct ProbeSlotHeader* slot);

/* ---- the memory that is shared with the reader ---- */

/* What the environment said when the program began. Call it once, before any thread. */
void probe_remember_arena(void);
/* Claims a slot and maps it, once in a process; in a child that was forked, once more. Null if there
 * is no arena, no slot, or no memory. */
struct ProbeSlotHeader* probe_slot(void);
/* Tells the reader of a library that may contain llama.cpp and shows none of its functions. */
void probe_tell_suspect(const char* file);
/* What the reader wants: kProbeWantsOperations, …. */
uint32_t probe_wanted(void);

/* Where one writer writes: cells from `cursor` on are not yet visible to the reader. */
struct Writer {
  struct ProbeRingHeader* ring;
  union ProbeCell* cells;
  uint64_t head;
  uint64_t cursor;
};
/* `number` below kProbeRings. */
struct Writer probe_writer(struct ProbeSlotHeader* slot, uint32_t number);
/* Room for one cell, zeroed; null if there is none left. */
union ProbeCell* probe_next_cell(struct Writer* writer);
/* The reader may see what was written; forget drops it. */
void probe_commit(struct Writer* writer);
void probe_forget(struct Writer* writer);

/* ---- contexts ---- */

enum { kKnownGraphs = 24, kMaxStamps = kProbeNodes };
/* NOLINTEND(readability-identifier-naming) */

struct KnownGraph {
  uint32_t number; /* 0: none */
  uint32_t nodes;
  uint64_t used;   /* when, in passes */
  uint64_t* fingerprints;
};

/* A context of llama.cpp that is followed. Threads: one at a time, as llama.cpp demands. */
struct Context {
  _Atomic(LlamaContext*) llama; /* null: free */
  uint32_t number;
  uint32_t ring;
  struct Writer writer;
  uint32_t passes;
  bool knows_batch; /* else passes have no tokens */
  bool wants_operations;
  bool knows_devices;
  bool on_gpu; /* nothing is timed there */
  const void* memory; /* llama.cpp's memory of this context: its cache */
  bool own_callback; /* the program's eval callback is called, so that nothing is timed */
  /* The graph under way. */
  bool in_graph;
  bool is_new;      /* it is being told */
  bool told;        /* all of it has found room so far */
  uint32_t nodes;
  uint32_t stamps;
  uint32_t leaves;
  struct KnownGraph* follows;
  struct KnownGraph* last;
  uint64_t graph_head; /* the cell of its ProbeGraph */
  uint64_t segment_begin;
  uint64_t start;
  bool lost_segment;
  uint32_t next_graph;
  struct KnownGraph graphs[kKnownGraphs];
  struct Workspace* work; /* large arrays */
};

/* The pass that this thread is in; null: none. */
extern __thread struct Context* probe_current __attribute__((tls_model("initial-exec")));

uint64_t probe_now(void);
/* As much of a text as there is room for, into memory that is zero. Null: nothing. */
void probe_copy_text(char* to, size_t size, const char* from);
/* A context is set up when it is first used; null if it is not followed. */
struct Context* probe_context_of(LlamaContext* llama);
/* A context as it is known already; null if it is not. */
struct Context* probe_known_context(LlamaContext* llama);
struct Context* probe_context_with_memory(const void* memory);
void probe_forget_context(LlamaContext* llama);
void probe_note_own_callback(void);
/* A model was loaded from this file between these times. */
void probe_remember_model(LlamaModel* model, const char* path, uint64_t begin, uint64_t end);
/* The library was unloaded, or this is a child that was forked. */
void probe_forget_all_contexts(void);
/* What is remembered of the calling thread. */
void probe_forget_thread(void);

/* ---- graphs ---- */

bool probe_make_workspace(struct Context* context);
void probe_begin_pass(struct Context* context, uint64_t now);
void probe_end_pass(struct Context* context);
bool probe_on_node(struct Tensor* node, bool ask, void* context);
void probe_on_executed(struct Context* context);

/* ---- callbacks that are chained ---- */

void probe_hook_context(struct Context* context, LlamaContext* llama);
/* The library was unloaded. */
void probe_forget_callbacks(void);
void probe_on_set_eval_callback(Sched* sched, EvalCallback callback, void* data);
void* probe_on_get_proc_address(Register* backends, const char* name);
void probe_on_free_backend(Backend* backend);

/* ---- the calls themselves ---- */

/* Has what binds to functions of these objects from now on call ours. Of the first object those that
 * programs call, of the second those that llama.cpp calls; one of them may be null. What the object
 * does not have is left out; if `decode` is null afterwards, nothing could be done. */
void probe_wrap_functions(const struct link_map* llama, const struct link_map* ggml);

#endif
