/* The memory that is shared with the reader: finds it, claims a part of it, writes records. */
#include "probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kPathBytes = 128, kPageBytes = 4096 };

/* One for the process. The page's first byte is 0 in a child that was forked (MADV_WIPEONFORK), so
 * that no system call is needed to notice it. */
static char arena_path[kPathBytes];
static volatile unsigned char* own_page;
static struct ProbeArenaHeader* arena;
static struct ProbeSlotHeader* _Atomic slot;
static atomic_flag claiming = ATOMIC_FLAG_INIT;
static atomic_bool tried;

uint64_t probe_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void probe_copy_text(char* to, size_t size, const char* from) {
  if (from != NULL) {
    memcpy(to, from, strnlen(from, size));
  }
}

void probe_remember_arena(void) {
  const char* const path = getenv(ENPROF_PROBE_ARENA_VARIABLE);
  if (path != NULL && strlen(path) < sizeof arena_path) {
    memcpy(arena_path, path, strlen(path) + 1);
  }
}

static void* map_shared(int file, uint64_t offset, uint64_t size) {
  void* const memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);
  return memory == MAP_FAILED ? NULL : memory;
}

static bool is_arena(const struct ProbeArenaHeader* header) {
  return header->magic == ENPROF_PROBE_MAGIC && header->version == ENPROF_PROBE_VERSION &&
         header->slots == kProbeSlots && header->slot_bytes == ENPROF_PROBE_SLOT_BYTES;
}

static struct ProbeSlotHeader* claim(int file) {
  for (uint32_t number = 0; number < kProbeSlots; ++number) {
    uint32_t free_slot = kProbeSlotFree;
    if (!atomic_compare_exchange_strong(&arena->states[number], &free_slot, kProbeSlotClaimed)) {
      continue;
    }
    struct ProbeSlotHeader* const claimed = map_shared(
        file, kProbeHeaderBytes + number * ENPROF_PROBE_SLOT_BYTES, ENPROF_PROBE_SLOT_BYTES);
    if (claimed == NULL) {
      atomic_store(&arena->states[number], kProbeSlotFree);
      break;
    }
    claimed->pid = getpid();
    if (probe_library.llama != NULL) {
      probe_copy_text(claimed->library, sizeof claimed->library, probe_library.llama->l_name);
    }
    atomic_store_explicit(&claimed->version, ENPROF_PROBE_VERSION, memory_order_release);
    atomic_store(&arena->states[number], kProbeSlotLive);
    return claimed;
  }
  atomic_fetch_add(&arena->unserved, 1);
  return NULL;
}

/* Whether our number is the one that the reader knows us by: /proc is of its PID namespace. */
static bool has_readers_pid(void) {
  char text[16];
  const ssize_t size = readlink("/proc/self", text, sizeof text - 1);
  if (size <= 0) {
    return false;
  }
  text[size] = 0;
  return strtol(text, NULL, 10) == (long)getpid();
}

/* Opens the arena's file and maps its header. Returns the file; < 0: there is no arena. */
static int open_arena(void) {
  if (arena_path[0] == 0 || !has_readers_pid()) {
    return -1;
  }
  const int file = open(arena_path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return -1;
  }
  struct stat facts;
  if (fstat(file, &facts) == 0 && (uint64_t)facts.st_size == ENPROF_PROBE_ARENA_BYTES) {
    if (arena == NULL) {
      arena = map_shared(file, 0, kProbeHeaderBytes);
    }
    if (arena != NULL && is_arena(arena)) {
      return file;
    }
  }
  close(file);
  return -1;
}

static struct ProbeSlotHeader* open_slot(void) {
  const int file = open_arena();
  if (file < 0) {
    return NULL;
  }
  struct ProbeSlotHeader* const claimed = claim(file);
  close(file);
  return claimed;
}

static bool is_forked(void) { return own_page != NULL && *own_page == 0; }

static bool mark_own(void) {
  if (own_page == NULL) {
    void* const page = mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, kPageBytes, MADV_WIPEONFORK) != 0) {
      return false; /* a child would write where its parent does */
    }
    own_page = page;
  }
  *own_page = 1;
  return true;
}

struct ProbeSlotHeader* probe_slot(void) {
  if (atomic_load_explicit(&tried, memory_order_acquire) && !is_forked()) {
    return atomic_load_explicit(&slot, memory_order_relaxed);
  }
  const int saved = errno;
  if (is_forked()) {
    /* Another thread of the parent may have been here. Only this thread is left. */
    atomic_flag_clear(&claiming);
    atomic_store(&tried, false);
    atomic_store(&slot, NULL);
    probe_forget_all_contexts();
    *own_page = 1;
  }
  while (atomic_flag_test_and_set(&claiming)) {
    sched_yield(); /* another thread is at it */
  }
  if (!atomic_load(&tried)) {
    if (mark_own()) {
      atomic_store(&slot, open_slot());
    }
    atomic_store_explicit(&tried, true, memory_order_release);
  }
  atomic_flag_clear(&claiming);
  errno = saved;
  return atomic_load(&slot);
}

static bool is_known_suspect(const char* path) {
  for (uint32_t i = 0; i < kProbeSuspects; ++i) {
    if (strncmp(arena->suspect[i], path, kProbePathBytes) == 0) {
      return true;
    }
  }
  return false;
}

void probe_tell_suspect(const char* path) {
  const int saved = errno;
  while (atomic_flag_test_and_set(&claiming)) {
    sched_yield();
  }
  const int file = open_arena();
  if (file >= 0) {
    close(file);
    if (!is_known_suspect(path)) {
      const uint32_t place = atomic_fetch_add(&arena->suspects, 1);
      if (place < kProbeSuspects) {
        probe_copy_text(arena->suspect[place], kProbePathBytes, path);
      }
    }
  }
  atomic_flag_clear(&claiming);
  errno = saved;
}

uint32_t probe_wanted(void) { return arena != NULL ? arena->wanted : 0; }

struct Writer probe_writer(struct ProbeSlotHeader* header, uint32_t number) {
  struct Writer writer = {.ring = &header->rings[number]};
  writer.cells = (union ProbeCell*)((char*)header + kProbeHeaderBytes) +
                 (size_t)number * kProbeRingCells;
  writer.head = writer.cursor = atomic_load_explicit(&writer.ring->head, memory_order_relaxed);
  return writer;
}

union ProbeCell* probe_next_cell(struct Writer* writer) {
  /* The reader may lie; the cursor stays within the ring whatever it says. */
  const uint64_t tail = atomic_load_explicit(&writer->ring->tail, memory_order_acquire);
  if (writer->cursor - tail >= kProbeRingCells) {
    return NULL;
  }
  union ProbeCell* const cell = &writer->cells[writer->cursor++ & (kProbeRingCells - 1)];
  memset(cell, 0, sizeof *cell);
  return cell;
}

void probe_commit(struct Writer* writer) {
  writer->head = writer->cursor;
  atomic_store_explicit(&writer->ring->head, writer->head, memory_order_release);
}

void probe_forget(struct Writer* writer) { writer->cursor = writer->head; }
