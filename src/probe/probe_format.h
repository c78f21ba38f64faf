/* What the probe in another program writes and enprof reads: the layout of the memory that both map,
 * and the records in it. docs/probe.md describes it. C11 and C++.
 *
 * One anonymous file (memfd) of enprof's holds it all: an arena header, then slots of one size. A
 * process that loads llama.cpp claims a slot and maps it. A slot holds facts of the process and
 * rings of records. A ring has one writer at a time and one reader; the writer never waits: what
 * does not fit is dropped and counted.
 *
 * A record is one cell of 64 bytes, or several in a row. All numbers are little-endian. There are no
 * pointers. Times are CLOCK_MONOTONIC in nanoseconds. A reader trusts nothing that it reads.
 */
#ifndef ENPROF_PROBE_FORMAT_H
#define ENPROF_PROBE_FORMAT_H

#ifdef __cplusplus
#include <atomic>
#include <cstdint>
#define ENPROF_PROBE_ATOMIC(type) std::atomic<type>
#define ENPROF_PROBE_ASSERT static_assert
extern "C" {
#else
#include <stdatomic.h>
#include <stdint.h>
#define ENPROF_PROBE_ATOMIC(type) _Atomic(type)
#define ENPROF_PROBE_ASSERT _Static_assert
#endif

/* Increase it when anything in this file changes. */
#define ENPROF_PROBE_VERSION 2u
#define ENPROF_PROBE_MAGIC 0x31425250464e45u /* "ENFPRB1" */

/* The variable that names the arena's file to the probe: a path such as /proc/PID/fd/N. */
#define ENPROF_PROBE_ARENA_VARIABLE "ENPROF_PROBE_ARENA"

/* Constants that are extents of arrays are enumerators in C, and have the names of constants. */
/* NOLINTBEGIN(readability-identifier-naming) */
enum {
  kProbeSlots = 32,          /* processes with llama.cpp in them, at one time */
  kProbeRings = 6,           /* of a slot: contexts that are followed at one time */
  kProbeRingCells = 32768,   /* of a ring: a power of two */
  kProbeCellBytes = 64,
  kProbeHeaderBytes = 16384, /* of a slot and of the arena: what lies before the rings */
  kProbeSequences = 64,      /* of a pass that are told apart */
  kProbeNodes = 8192,        /* of a graph whose operations are told */
  kProbeStampsInCell = 14,
  kProbeSequencesInCell = 3,
  kProbeTokensInCell = 11,
  kProbeTokens = 65536,      /* of a pass that are told */
  kProbeSources = 10,
  kProbeSuspects = 4,
  kProbePathBytes = 256,
  kProbeNameBytes = 64
};
#define ENPROF_PROBE_SLOT_BYTES \
  (kProbeHeaderBytes + UINT64_C(1) * kProbeRings * kProbeRingCells * kProbeCellBytes)
#define ENPROF_PROBE_ARENA_BYTES \
  (kProbeHeaderBytes + kProbeSlots * ENPROF_PROBE_SLOT_BYTES)

enum { kProbeSlotFree = 0, kProbeSlotClaimed = 1, kProbeSlotLive = 2 };

/* What is recorded beside passes, as the reader wants it. */
enum { kProbeWantsOperations = 1u << 0, kProbeWantsTokens = 1u << 1 };

/* What is known of the library. Without all of kProbeKnowsGraphs passes have no operations. */
enum {
  kProbeKnowsBatch = 1u << 0,   /* llama_batch is what we know */
  kProbeKnowsTensor = 1u << 1,  /* ggml_tensor is what we know */
  kProbeKnowsAbort = 1u << 2,   /* the abort callback can be chained */
  kProbeKnowsEval = 1u << 3,    /* the graph callback can be chained */
  kProbeKnowsGraphs =
      kProbeKnowsBatch | kProbeKnowsTensor | kProbeKnowsAbort | kProbeKnowsEval
};

/* At the arena's begin. Written by enprof, except the states. */
struct ProbeArenaHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t slots;
  uint64_t slot_bytes;
  uint32_t wanted; /* kProbeWantsOperations, … */
  uint32_t unused;
  ENPROF_PROBE_ATOMIC(uint32_t) unserved; /* processes that found no slot, or could not map it */
  ENPROF_PROBE_ATOMIC(uint32_t) suspects; /* in `suspect`, and those that had no room there */
  ENPROF_PROBE_ATOMIC(uint32_t) states[kProbeSlots]; /* by slot: kProbeSlotFree, … */
  /* Files of libraries that have llama in their names, and no function of it: it may be inside. */
  char suspect[kProbeSuspects][kProbePathBytes];
};

struct ProbeRingHeader {
  /* Cells written so far; the writer's. */
  ENPROF_PROBE_ATOMIC(uint64_t) head;
  ENPROF_PROBE_ATOMIC(uint64_t) lost_passes; /* that did not fit */
  ENPROF_PROBE_ATOMIC(uint64_t) lost_graphs;
  uint64_t unused[5];
  /* Cells read so far; the reader's, on a cache line of its own. */
  ENPROF_PROBE_ATOMIC(uint64_t) tail;
  uint64_t unused_too[7];
};

/* At a slot's begin. Texts end with a zero, or fill their array. */
struct ProbeSlotHeader {
  ENPROF_PROBE_ATOMIC(uint32_t) version; /* written last: what follows is valid */
  int32_t pid;
  ENPROF_PROBE_ATOMIC(uint32_t) knows;             /* kProbeKnowsBatch, … */
  ENPROF_PROBE_ATOMIC(uint32_t) checked;           /* `knows` and the texts are final */
  ENPROF_PROBE_ATOMIC(uint32_t) contexts_left_out; /* more than could be followed */
  ENPROF_PROBE_ATOMIC(uint32_t) libraries_left_out; /* llama.cpp was loaded more than once */
  ENPROF_PROBE_ATOMIC(uint32_t) own_callbacks; /* contexts whose program has its own eval callback */
  uint32_t unused;
  char library[kProbePathBytes]; /* its file */
  char llama_version[64];
  char ggml_version[64];
  char ggml_commit[64];
  struct ProbeRingHeader rings[kProbeRings];
};

/* Types of records. A record's first cell begins with its type. */
enum {
  kProbeRecordContext = 1,  /* a context is followed from here on */
  kProbeRecordContextEnd = 2,
  kProbeRecordText = 3,     /* a text of the context's model */
  kProbeRecordKind = 4,     /* what kind of operation a number stands for */
  kProbeRecordGraph = 5,    /* then its tensors */
  kProbeRecordTensor = 6,   /* two cells */
  kProbeRecordSegment = 7,  /* a graph was run, in a pass: then its stamps */
  kProbeRecordStamps = 8,
  kProbeRecordPass = 9,     /* then its sequences, then its tokens */
  kProbeRecordSequences = 10,
  kProbeRecordMemory = 11,  /* sequences were changed in the cache */
  kProbeRecordModel = 12,   /* a model was loaded: then its file's path as text */
  kProbeRecordTokens = 13
};

enum { kProbeTextModelName = 1, kProbeTextArchitecture = 2, kProbeTextDescription = 3,
       kProbeTextModelPath = 4 };

struct ProbeContext {
  uint16_t type;
  uint16_t fusion;  /* 0: GGML_CPU_DISABLE_FUSION is set */
  uint32_t context; /* counts the process's contexts from 1 */
  uint64_t at;
  uint32_t n_ctx;
  uint32_t n_batch;
  uint32_t n_ubatch;
  uint32_t n_seq_max;
  uint64_t model_bytes; /* 0: unknown, as all below */
  uint64_t model_parameters;
  uint32_t layers;
  uint32_t embedding;
  uint16_t heads;
  uint16_t kv_heads;
  uint32_t threads;
};

struct ProbeContextEnd {
  uint16_t type;
  uint16_t unused;
  uint32_t context;
  uint64_t at;
  uint64_t unused_too[6];
};

/* A text in pieces: each adds to the one before it of the same context and `text`. */
struct ProbeText {
  uint16_t type;
  uint8_t text;  /* kProbeTextModelName, … */
  uint8_t bytes; /* in this piece */
  uint32_t context;
  char piece[56];
};

/* Numbers of operations differ between versions of ggml, so they are told by name. */
struct ProbeKind {
  uint16_t type;
  uint16_t kind;
  uint32_t context;
  char op[28];          /* ggml_op_name */
  char description[28]; /* ggml_op_desc: that of a unary or gated operation is its own */
};

struct ProbeGraph {
  uint16_t type;
  uint16_t unused;
  uint32_t context;
  uint32_t graph;   /* counts the context's graphs from 1 */
  uint32_t nodes;   /* in the order in which they run; they are tensors 1 … nodes */
  uint32_t tensors; /* records that follow: nodes, and what they read */
  uint32_t unused_too[11];
};

/* Tensor numbers: 0 is none; a node is its place + 1; another tensor is kProbeLeaf + 0, 1, … */
enum { kProbeLeaf = 0x8000 };

struct ProbeTensor {
  uint16_t type;
  uint16_t kind;      /* see ProbeKind; of a tensor that no operation made too */
  uint16_t data_type; /* ggml_type */
  uint16_t flags;     /* ggml_tensor_flag */
  uint32_t extents[4];
  uint16_t self;
  uint16_t view_of;
  uint16_t sources[kProbeSources];
  uint16_t stride;     /* nb[0], at most 65535 */
  uint16_t unused;
  int32_t parameters[2]; /* the first two of the operation's */
  char name[kProbeNameBytes];
  uint32_t unused_too;
};

struct ProbeSegment {
  uint16_t type;
  uint16_t unused;
  uint32_t context;
  uint32_t pass;
  uint32_t graph;  /* 0: it was not told */
  uint32_t stamps; /* operations that ended */
  uint32_t nodes;
  uint64_t begin; /* before the graph was prepared */
  uint64_t start; /* of the first operation */
  uint64_t unused_too[3];
};

/* Durations: each from the end of the operation before, the first from the segment's start, as
 * StampCode of record/stamp_code.hpp. */
struct ProbeStamps {
  uint16_t type;
  uint16_t count;
  uint32_t context;
  uint32_t durations[kProbeStampsInCell];
};

enum { kProbePassEncode = 1u << 0,      /* llama_encode, not llama_decode */
       kProbePassEmbeddings = 1u << 1,  /* the input is embeddings, not tokens */
       kProbePassSharedTokens = 1u << 2, /* a token belongs to several sequences: counted for the
                                            first */
       kProbePassOwnCallback = 1u << 3, /* the program's eval callback is called, so nothing else */
       kProbePassLost = 1u << 4 };      /* segments of it did not fit */

struct ProbePass {
  uint16_t type;
  uint16_t flags;
  uint32_t context;
  uint32_t pass; /* counts the context's passes from 1 */
  int32_t result; /* what llama_decode returned */
  uint64_t begin;
  uint64_t end;
  uint32_t tokens;
  uint32_t outputs;        /* whose logits or embeddings are wanted */
  uint32_t sequences;      /* that follow */
  uint32_t other_sequences; /* beyond kProbeSequences */
  uint32_t other_tokens;   /* of those */
  uint32_t thread;         /* its number in the system */
  uint32_t told_tokens;    /* that follow the sequences: all of them, or none */
  uint32_t unused;
};

struct ProbeSequence {
  int32_t id;
  int32_t first_position; /* -1: unknown */
  uint32_t tokens;
  uint32_t outputs;
};

struct ProbeSequences {
  uint16_t type;
  uint16_t count;
  uint32_t context;
  struct ProbeSequence sequences[kProbeSequencesInCell];
  uint64_t unused;
};

/* Tokens that a pass computed, in the order of the batch. */
struct ProbeTokens {
  uint16_t type;
  uint16_t count;
  uint32_t context;
  int32_t ids[kProbeTokensInCell];
  uint8_t places[kProbeTokensInCell]; /* which of the pass's sequences: from 0 */
  uint8_t unused;
};

/* What the program did to the cache between passes: where a request ends, is copied or shifted. */
enum { kProbeMemoryClear = 1, kProbeMemoryRemove = 2, kProbeMemoryCopy = 3, kProbeMemoryKeep = 4,
       kProbeMemoryAdd = 5, kProbeMemoryDivide = 6 };
/* NOLINTEND(readability-identifier-naming) */

struct ProbeMemory {
  uint16_t type;
  uint16_t what; /* kProbeMemoryClear, … */
  uint32_t context;
  uint64_t at;
  int32_t sequence;    /* -1: all */
  int32_t destination; /* of a copy */
  int32_t from;        /* first position; < 0: 0 */
  int32_t to;          /* beyond the last; < 0: infinite */
  int32_t delta;       /* positions are moved by that, or divided by it */
  uint32_t unused[7];
};

struct ProbeModel {
  uint16_t type;
  uint16_t loaded; /* 0: loading failed */
  uint32_t context; /* 0 */
  uint64_t begin;
  uint64_t end;
  uint64_t unused[5];
};

union ProbeCell {
  uint16_t type;
  uint8_t bytes[kProbeCellBytes];
  struct ProbeContext context;
  struct ProbeContextEnd context_end;
  struct ProbeText text;
  struct ProbeKind kind;
  struct ProbeGraph graph;
  struct ProbeSegment segment;
  struct ProbeStamps stamps;
  struct ProbePass pass;
  struct ProbeSequences sequences;
  struct ProbeTokens tokens;
  struct ProbeMemory memory;
  struct ProbeModel model;
};

ENPROF_PROBE_ASSERT(sizeof(union ProbeCell) == kProbeCellBytes, "a record fills its cell");
ENPROF_PROBE_ASSERT(sizeof(struct ProbeTensor) == UINT64_C(2) * kProbeCellBytes, "a tensor fills two cells");
ENPROF_PROBE_ASSERT(sizeof(struct ProbeRingHeader) == 128, "two cache lines");
ENPROF_PROBE_ASSERT(sizeof(struct ProbeSlotHeader) <= kProbeHeaderBytes, "it fits before the rings");
ENPROF_PROBE_ASSERT(sizeof(struct ProbeArenaHeader) <= kProbeHeaderBytes, "it fits");

#ifdef __cplusplus
}
#endif

#endif
