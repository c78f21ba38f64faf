/* What the dynamic linker calls: rtld-audit(7). It sees each object that is loaded, at the program's
 * start or by dlopen, before anything is bound to it.
 *
 * la_symbind() is asked about calls and dlsym() alone: not about pointers to functions, nor about
 * calls of programs that were compiled with -fno-plt. So the symbols themselves are redirected. */
#include "probe/probe.h"

#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

struct Library probe_library;

/* Cookies of objects; an object without one of these has 0. Bits. */
/* NOLINTNEXTLINE(readability-identifier-naming): a constant */
enum { kHasLlama = 1, kHasGgml = 2 };

static bool defines(const struct link_map* object, const char* name) {
  return probe_find_symbol(object, name) != NULL;
}

EXPORTED unsigned la_version(unsigned version) {
  if (version < 1) {
    return 0;
  }
  probe_remember_arena();
  /* The interface that these functions follow; newer linkers know it, too. */
  return version < LAV_CURRENT ? version : LAV_CURRENT;
}

EXPORTED unsigned la_objopen(struct link_map* object, Lmid_t space, uintptr_t* cookie) {
  (void)space;
  *cookie = 0;
  /* An executable that contains llama.cpp calls it without our being asked. */
  const bool is_library = object->l_name != NULL && object->l_name[0] != 0;
  if (is_library && defines(object, "llama_decode")) {
    if (probe_library.llama == NULL) {
      probe_library.llama = object;
      *cookie |= kHasLlama;
    } else {
      struct ProbeSlotHeader* const slot = probe_slot();
      if (slot != NULL) {
        atomic_fetch_add_explicit(&slot->libraries_left_out, 1, memory_order_relaxed);
      }
    }
  }
  if (is_library && defines(object, "ggml_backend_sched_set_eval_callback")) {
    if (probe_library.ggml == NULL) {
      probe_library.ggml = object;
      *cookie |= kHasGgml;
    }
  }
  if (is_library && *cookie == 0 && !defines(object, "llama_decode") &&
      strstr(object->l_name, "llama") != NULL) {
    probe_tell_suspect(object->l_name);
  }
  /* Now, as the program may close or give up what this needs. */
  struct ProbeSlotHeader* const slot = *cookie != 0 ? probe_slot() : NULL;
  if (slot != NULL) {
    if ((*cookie & kHasLlama) != 0) {
      probe_copy_text(slot->library, sizeof slot->library, object->l_name);
    }
    probe_wrap_functions((*cookie & kHasLlama) != 0 ? object : NULL,
                         (*cookie & kHasGgml) != 0 ? object : NULL);
  }
  return 0;
}

EXPORTED unsigned la_objclose(uintptr_t* cookie) {
  if (*cookie == 0) {
    return 0;
  }
  if ((*cookie & kHasLlama) != 0) {
    /* No thread is in it, or it could not go. */
    probe_forget_all_contexts();
    memset((void*)&probe_library.llama, 0, offsetof(struct Library, ggml));
  }
  if ((*cookie & kHasGgml) != 0) {
    probe_forget_callbacks();
    memset((void*)&probe_library.ggml, 0, sizeof probe_library - offsetof(struct Library, ggml));
  }
  return 0;
}
