/* The operation clock of another program: which operations its graphs have, and when each ended.
 *
 * Before llama.cpp runs a graph, it offers each node to the eval callback, in order. A graph that is
 * new is described to the reader then, before its first operation begins. While it runs, the CPU
 * backend calls the abort callback after each operation, which takes the time. The reader finds out
 * which operations the stamps belong to: src/engines/llama/probe_plan.cpp.
 */
#include "probe/probe.h"

#include <string.h>
#include <sys/mman.h>

/* NOLINTBEGIN(readability-identifier-naming): constants */
enum {
  kPlaces = 32768, /* of the map from tensors to numbers: a power of two */
  kLeaves = 8192,
  kOps = 256,
  kKinds = 512,
  kLongShift = 10 /* StampCode's */
};
/* NOLINTEND(readability-identifier-naming) */

struct Place {
  const struct Tensor* tensor;
  uint32_t generation;
  uint32_t number;
};

struct Kind {
  int op;
  int32_t variant;
};

/* In one mapping, which is backed by memory where it was used. */
struct Workspace {
  struct Tensor* nodes[kProbeNodes];
  uint64_t fingerprints[kProbeNodes];
  uint64_t ends[kMaxStamps];
  uint64_t known[kKnownGraphs][kProbeNodes];
  struct Place places[kPlaces];
  uint32_t generation;
  struct Kind kinds[kKinds];
  uint32_t kind_count;
  uint32_t kinds_told; /* that the reader has */
  uint8_t op_seen[kOps]; /* 1: one kind; 2: its parameters tell kinds apart */
  const char* (*op_name)(int);
  const char* (*op_desc)(const struct Tensor*);
};

bool probe_make_workspace(struct Context* context) {
  struct Workspace* work = context->work;
  if (work == NULL) {
    void* const memory = mmap(NULL, sizeof *work, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      return false;
    }
    context->work = work = memory;
    for (size_t i = 0; i < kKnownGraphs; ++i) {
      context->graphs[i].fingerprints = work->known[i];
    }
  }
  work->kind_count = work->kinds_told = 0; /* another context's reader knows none */
  memset(work->op_seen, 0, sizeof work->op_seen);
  const struct link_map* const ggml = probe_library.ggml;
  work->op_name = (const char* (*)(int))probe_find_symbol(ggml, "ggml_op_name");
  work->op_desc =
      (const char* (*)(const struct Tensor*))probe_find_symbol(ggml, "ggml_op_desc");
  return work->op_name != NULL && work->op_desc != NULL;
}

/* A sum of products with odd constants, one for each field: independent, so it takes nanoseconds. */
static uint64_t fingerprint(const struct Tensor* node) {
  uint64_t name[4];
  memcpy(name, node->name, sizeof name);
  uint64_t hash = ((uint64_t)(uint32_t)node->op | (uint64_t)(uint32_t)node->flags << 16U |
                   (uint64_t)(uint32_t)node->type << 48U) *
                  0x9E3779B97F4A7C15U;
  hash += (uint64_t)node->ne[0] * 0xC2B2AE3D27D4EB4FU;
  hash += (uint64_t)node->ne[1] * 0x165667B19E3779F9U;
  hash += (uint64_t)node->ne[2] * 0xD6E8FEB86659FD93U;
  hash += (uint64_t)node->ne[3] * 0xA0761D6478BD642FU;
  hash += name[0] * 0xE7037ED1A0B428DBU;
  hash += name[1] * 0x8EBC6AF09C88C6E3U;
  hash += name[2] * 0x589965CC75374CC3U;
  hash += name[3] * 0x1D8E4E27C47D124FU;
  return hash;
}

/* ---- telling a graph ---- */

static struct Place* place_of(struct Workspace* work, const struct Tensor* tensor) {
  uint64_t hash = (uint64_t)(uintptr_t)tensor * 0x9E3779B97F4A7C15U;
  for (uint32_t at = (uint32_t)(hash >> 40U);; ++at) {
    struct Place* const place = &work->places[at & (kPlaces - 1)];
    if (place->generation != work->generation || place->tensor == tensor) {
      return place; /* at most half of the places are taken */
    }
  }
}

static uint32_t number_of(struct Workspace* work, const struct Tensor* tensor) {
  const struct Place* const place = place_of(work, tensor);
  return place->generation == work->generation ? place->number : 0;
}

static void set_number(struct Workspace* work, const struct Tensor* tensor, uint32_t number) {
  *place_of(work, tensor) =
      (struct Place){.tensor = tensor, .generation = work->generation, .number = number};
}

/* The number of the tensor's kind of operation; -1 if there is no room to tell it. */
static int32_t kind_of(struct Context* context, const struct Tensor* tensor) {
  struct Workspace* const work = context->work;
  if (tensor->op < 0 || tensor->op >= kOps) {
    return -1;
  }
  uint8_t* const seen = &work->op_seen[tensor->op];
  if (*seen == 0) {
    *seen = strcmp(work->op_name(tensor->op), work->op_desc(tensor)) == 0 ? 1 : 2;
  }
  const int32_t variant = *seen == 2 ? tensor->op_params[0] : 0;
  for (uint32_t i = 0; i < work->kind_count; ++i) {
    if (work->kinds[i].op == tensor->op && work->kinds[i].variant == variant) {
      return (int32_t)i;
    }
  }
  union ProbeCell* const cell =
      work->kind_count < kKinds ? probe_next_cell(&context->writer) : NULL;
  if (cell == NULL) {
    return -1;
  }
  cell->kind.type = kProbeRecordKind;
  cell->kind.kind = (uint16_t)work->kind_count;
  cell->kind.context = context->number;
  probe_copy_text(cell->kind.op, sizeof cell->kind.op, work->op_name(tensor->op));
  probe_copy_text(cell->kind.description, sizeof cell->kind.description, work->op_desc(tensor));
  work->kinds[work->kind_count] = (struct Kind){.op = tensor->op, .variant = variant};
  return (int32_t)work->kind_count++;
}

static bool tell_tensor(struct Context* context, const struct Tensor* tensor, uint32_t self,
                        uint32_t view_of, const uint16_t* sources) {
  const int32_t kind = kind_of(context, tensor);
  if (kind < 0) {
    return false;
  }
  struct ProbeTensor told = {.type = kProbeRecordTensor,
                             .kind = (uint16_t)kind,
                             .data_type = (uint16_t)tensor->type,
                             .flags = (uint16_t)tensor->flags,
                             .self = (uint16_t)self,
                             .view_of = (uint16_t)view_of,
                             .parameters = {tensor->op_params[0], tensor->op_params[1]}};
  for (size_t i = 0; i < kDimensions; ++i) {
    if (tensor->ne[i] < 0 || tensor->ne[i] > (int64_t)UINT32_MAX) {
      return false;
    }
    told.extents[i] = (uint32_t)tensor->ne[i];
  }
  told.stride = tensor->nb[0] < UINT16_MAX ? (uint16_t)tensor->nb[0] : UINT16_MAX;
  if (sources != NULL) {
    memcpy(told.sources, sources, sizeof told.sources);
  }
  memcpy(told.name, tensor->name, sizeof told.name);
  for (size_t half = 0; half < 2; ++half) { /* the ring may begin again between them */
    union ProbeCell* const cell = probe_next_cell(&context->writer);
    if (cell == NULL) {
      return false;
    }
    memcpy(cell, (const char*)&told + half * kProbeCellBytes, kProbeCellBytes);
  }
  return true;
}

/* A tensor that no node before it made: a weight, an input, the cache. Its number, or 0 if there is
 * no room for it. */
static uint32_t tell_leaf(struct Context* context, const struct Tensor* tensor) {
  uint32_t view_of = 0;
  const struct Tensor* const root = tensor->view_src;
  if (root != NULL) {
    view_of = number_of(context->work, root);
    if (view_of == 0 && root->view_src == NULL) {
      view_of = tell_leaf(context, root);
    }
    if (view_of == 0) {
      return 0;
    }
  }
  if (context->leaves == kLeaves) {
    return 0;
  }
  const uint32_t number = kProbeLeaf + context->leaves++;
  if (!tell_tensor(context, tensor, number, view_of, NULL)) {
    return 0;
  }
  set_number(context->work, tensor, number);
  return number;
}

static uint32_t tell_source(struct Context* context, const struct Tensor* tensor) {
  const uint32_t known = number_of(context->work, tensor);
  return known != 0 ? known : tell_leaf(context, tensor);
}

static bool tell_node(struct Context* context, uint32_t index) {
  const struct Tensor* const node = context->work->nodes[index];
  uint16_t sources[kProbeSources] = {0};
  for (size_t i = 0; i < kSources; ++i) {
    if (node->src[i] != NULL) {
      const uint32_t number = tell_source(context, node->src[i]);
      if (number == 0) {
        return false;
      }
      sources[i] = (uint16_t)number;
    }
  }
  uint32_t view_of = 0;
  if (node->view_src != NULL) {
    view_of = tell_source(context, node->view_src);
    if (view_of == 0) {
      return false;
    }
  }
  set_number(context->work, node, index + 1);
  return tell_tensor(context, node, index + 1, view_of, sources);
}

static void begin_telling(struct Context* context) {
  context->is_new = true;
  context->follows = NULL;
  context->leaves = 0;
  ++context->work->generation;
  context->graph_head = context->writer.cursor;
  context->told = probe_next_cell(&context->writer) != NULL;
  for (uint32_t i = 0; i < context->nodes && context->told; ++i) {
    context->told = tell_node(context, i);
  }
}

static struct KnownGraph* oldest_graph(struct Context* context) {
  struct KnownGraph* oldest = &context->graphs[0];
  for (size_t i = 0; i < kKnownGraphs; ++i) {
    if (context->graphs[i].number == 0) {
      return &context->graphs[i];
    }
    if (context->graphs[i].used < oldest->used) {
      oldest = &context->graphs[i];
    }
  }
  return oldest;
}

static void end_telling(struct Context* context) {
  struct Workspace* const work = context->work;
  context->is_new = false;
  if (!context->told || context->nodes > kProbeNodes) {
    probe_forget(&context->writer);
    work->kind_count = work->kinds_told;
    atomic_fetch_add_explicit(&context->writer.ring->lost_graphs, 1, memory_order_relaxed);
    return;
  }
  struct KnownGraph* const known = oldest_graph(context);
  known->number = ++context->next_graph;
  known->nodes = context->nodes;
  memcpy(known->fingerprints, work->fingerprints, context->nodes * sizeof *work->fingerprints);
  union ProbeCell* const cell =
      &context->writer.cells[context->graph_head & (kProbeRingCells - 1)];
  cell->graph = (struct ProbeGraph){.type = kProbeRecordGraph,
                                    .context = context->number,
                                    .graph = known->number,
                                    .nodes = context->nodes,
                                    .tensors = context->nodes + context->leaves};
  work->kinds_told = work->kind_count;
  probe_commit(&context->writer);
  context->follows = known;
}

/* ---- knowing a graph again ---- */

static struct KnownGraph* find_graph(struct Context* context, uint32_t nodes, bool whole) {
  for (size_t i = 0; i < kKnownGraphs; ++i) {
    struct KnownGraph* const known = &context->graphs[i];
    if (known->number != 0 && (whole ? known->nodes == nodes : known->nodes >= nodes) &&
        memcmp(known->fingerprints, context->work->fingerprints,
               nodes * sizeof *known->fingerprints) == 0) {
      return known;
    }
  }
  return NULL;
}

static void begin_graph(struct Context* context, uint64_t now) {
  context->in_graph = true;
  context->is_new = false;
  context->nodes = 0;
  context->stamps = 0;
  context->follows = context->last;
  context->segment_begin = now;
  context->start = now;
}

/* All nodes were offered, and the first operation has ended. */
static void end_asking(struct Context* context) {
  if (!context->is_new && context->nodes <= kProbeNodes &&
      (context->follows == NULL || context->follows->nodes != context->nodes)) {
    context->follows = find_graph(context, context->nodes, true);
    if (context->follows == NULL) {
      begin_telling(context);
    }
  }
  if (context->is_new) {
    end_telling(context);
  }
}

static uint32_t encode(uint64_t time) {
  const uint64_t limit = (uint64_t)1 << 31U;
  if (time < limit) {
    return (uint32_t)time;
  }
  const uint64_t units = time >> kLongShift;
  return (uint32_t)(limit | (units < limit ? units : limit - 1));
}

static uint64_t decode(uint32_t code) {
  const uint32_t limit = 1U << 31U;
  return code < limit ? code : (uint64_t)(code & (limit - 1)) << kLongShift;
}

static bool write_stamps(struct Context* context, uint32_t count) {
  const uint64_t* const ends = context->work->ends;
  uint64_t decoded = context->start;
  for (uint32_t done = 0; done < count;) {
    union ProbeCell* const cell = probe_next_cell(&context->writer);
    if (cell == NULL) {
      return false;
    }
    const uint32_t left = count - done;
    const uint32_t here = left < kProbeStampsInCell ? left : kProbeStampsInCell;
    cell->stamps.type = kProbeRecordStamps;
    cell->stamps.count = (uint16_t)here;
    cell->stamps.context = context->number;
    for (uint32_t i = 0; i < here; ++i, ++done) {
      const uint32_t code = encode(ends[done] > decoded ? ends[done] - decoded : 0);
      cell->stamps.durations[i] = code;
      decoded += decode(code);
    }
  }
  return true;
}

static void close_segment(struct Context* context) {
  if (!context->in_graph || context->stamps == 0) {
    if (context->is_new) { /* nothing of it ran */
      context->told = false;
      end_telling(context);
    }
    return;
  }
  const uint32_t count = context->stamps < kMaxStamps ? context->stamps : kMaxStamps;
  union ProbeCell* const cell = probe_next_cell(&context->writer);
  if (cell != NULL) {
    cell->segment =
        (struct ProbeSegment){.type = kProbeRecordSegment,
                              .context = context->number,
                              .pass = context->passes,
                              .graph = context->follows != NULL ? context->follows->number : 0,
                              .stamps = count,
                              .nodes = context->nodes,
                              .begin = context->segment_begin,
                              .start = context->start};
  }
  if (cell != NULL && write_stamps(context, count)) {
    probe_commit(&context->writer);
  } else {
    probe_forget(&context->writer);
    context->lost_segment = true;
  }
  if (context->follows != NULL) {
    context->follows->used = context->passes;
    context->last = context->follows;
  }
}

/* ---- what is called ---- */

void probe_begin_pass(struct Context* context, uint64_t now) {
  context->lost_segment = false;
  if (context->wants_operations) {
    begin_graph(context, now);
    context->in_graph = false;
  }
}

void probe_end_pass(struct Context* context) {
  if (context->wants_operations) {
    close_segment(context);
    context->in_graph = false;
  }
}

bool probe_on_node(struct Tensor* node, bool ask, void* data) {
  struct Context* const context = data;
  if (!ask) {
    return true;
  }
  if (probe_current != context || !context->wants_operations) {
    return false;
  }
  if (!context->in_graph || context->stamps != 0) {
    const uint64_t begin = context->in_graph ? probe_now() : context->segment_begin;
    close_segment(context);
    begin_graph(context, begin);
  }
  const uint32_t index = context->nodes++;
  if (index >= kProbeNodes) {
    context->told = false;
    context->follows = NULL;
    return false;
  }
  struct Workspace* const work = context->work;
  work->nodes[index] = node;
  work->fingerprints[index] = fingerprint(node);
  if (context->is_new) {
    context->told = context->told && tell_node(context, index);
  } else if (context->follows == NULL || index >= context->follows->nodes ||
             context->follows->fingerprints[index] != work->fingerprints[index]) {
    context->follows = find_graph(context, index + 1, false);
    if (context->follows == NULL) {
      begin_telling(context);
    }
  }
  if (context->follows == NULL || index == 0 || index + 1 >= context->follows->nodes) {
    context->start = probe_now(); /* the last of these is right before the first operation */
  }
  return false;
}

void probe_on_executed(struct Context* context) {
  if (!context->wants_operations || !context->in_graph) {
    return;
  }
  const uint64_t now = probe_now();
  if (context->stamps == 0) {
    end_asking(context);
  }
  if (context->stamps < kMaxStamps) {
    context->work->ends[context->stamps] = now;
  }
  ++context->stamps;
}
