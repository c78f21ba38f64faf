/* Looks up symbols in an object that is being loaded, whose libc may not yet be asked: by its GNU or
 * System V hash table (System V ABI, gABI chapter 5; the GNU table as binutils writes it). */
#include "probe/probe.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct Tables {
  const ElfW(Sym) * symbols;
  const char* strings;
  const uint32_t* gnu_hash;
  const uint32_t* hash;
  const ElfW(Rela) * calls; /* relocations of calls, and of other references */
  size_t call_bytes;
  const ElfW(Rela) * references;
  size_t reference_bytes;
};

/* Addresses in an object's tables are numbers. */
static void* pointer_to(uintptr_t address) {
  return (void*)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* The dynamic linker relocates these addresses in place, where it may write to them. */
static const void* at(const struct link_map* object, ElfW(Addr) address) {
  return pointer_to(address < object->l_addr ? address + object->l_addr : address);
}

static struct Tables tables_of(const struct link_map* object) {
  struct Tables tables = {0};
  for (const ElfW(Dyn)* entry = object->l_ld; entry != NULL && entry->d_tag != DT_NULL; ++entry) {
    switch (entry->d_tag) {
      case DT_SYMTAB:
        tables.symbols = at(object, entry->d_un.d_ptr);
        break;
      case DT_STRTAB:
        tables.strings = at(object, entry->d_un.d_ptr);
        break;
      case DT_GNU_HASH:
        tables.gnu_hash = at(object, entry->d_un.d_ptr);
        break;
      case DT_HASH:
        tables.hash = at(object, entry->d_un.d_ptr);
        break;
      case DT_JMPREL:
        tables.calls = at(object, entry->d_un.d_ptr);
        break;
      case DT_PLTRELSZ:
        tables.call_bytes = entry->d_un.d_val;
        break;
      case DT_RELA:
        tables.references = at(object, entry->d_un.d_ptr);
        break;
      case DT_RELASZ:
        tables.reference_bytes = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  return tables;
}

static const ElfW(Sym) *
    symbol_if_named(const struct Tables* tables, uint32_t index, const char* name) {
  const ElfW(Sym)* const symbol = &tables->symbols[index];
  if (symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0 ||
      strcmp(tables->strings + symbol->st_name, name) != 0) {
    return NULL;
  }
  const unsigned kind = symbol->st_info & 0xfU;
  return kind == STT_FUNC || kind == STT_NOTYPE ? symbol : NULL;
}

static const ElfW(Sym) * find_by_gnu_hash(const struct Tables* tables, const char* name) {
  uint32_t hash = 5381;
  for (const unsigned char* c = (const unsigned char*)name; *c != 0; ++c) {
    hash = hash * 33 + *c;
  }
  const uint32_t* const table = tables->gnu_hash;
  const uint32_t buckets = table[0];
  const uint32_t first = table[1];
  const uint32_t words = table[2];
  const ElfW(Addr)* const bloom = (const ElfW(Addr)*)(table + 4);
  const uint32_t* const bucket = (const uint32_t*)(bloom + words);
  const uint32_t* const chain = bucket + buckets;
  if (buckets == 0) {
    return NULL;
  }
  uint32_t index = bucket[hash % buckets];
  if (index < first) {
    return NULL;
  }
  for (;; ++index) {
    const uint32_t other = chain[index - first];
    if ((other | 1U) == (hash | 1U)) {
      const ElfW(Sym)* const found = symbol_if_named(tables, index, name);
      if (found != NULL) {
        return found;
      }
    }
    if ((other & 1U) != 0) {
      return NULL;
    }
  }
}

static const ElfW(Sym) * find_by_hash(const struct Tables* tables, const char* name) {
  uint32_t hash = 0;
  for (const unsigned char* c = (const unsigned char*)name; *c != 0; ++c) {
    hash = (hash << 4U) + *c;
    const uint32_t high = hash & 0xf0000000U;
    hash = (hash ^ (high >> 24U)) & ~high;
  }
  const uint32_t buckets = tables->hash[0];
  const uint32_t* const bucket = tables->hash + 2;
  const uint32_t* const chain = bucket + buckets;
  for (uint32_t index = buckets == 0 ? 0 : bucket[hash % buckets]; index != 0;
       index = chain[index]) {
    const ElfW(Sym)* const found = symbol_if_named(tables, index, name);
    if (found != NULL) {
      return found;
    }
  }
  return NULL;
}

static const ElfW(Sym) * find_symbol(const struct link_map* object, const char* name) {
  if (object == NULL) {
    return NULL;
  }
  const struct Tables tables = tables_of(object);
  if (tables.symbols == NULL || tables.strings == NULL) {
    return NULL;
  }
  if (tables.gnu_hash != NULL) {
    return find_by_gnu_hash(&tables, name);
  }
  return tables.hash != NULL ? find_by_hash(&tables, name) : NULL;
}

void* probe_find_symbol(const struct link_map* object, const char* name) {
  const ElfW(Sym)* const symbol = find_symbol(object, name);
  return symbol != NULL ? pointer_to(object->l_addr + symbol->st_value) : NULL;
}

/* Whether this address is in a part of the object that is not code: that may be written to and then
 * protected again on any system. */
static bool is_plain_data(const struct link_map* object, uintptr_t address) {
  const ElfW(Ehdr)* const header = pointer_to(object->l_addr);
  if (object->l_addr == 0 || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_phentsize != sizeof(ElfW(Phdr))) {
    return false;
  }
  const ElfW(Phdr)* const parts = pointer_to(object->l_addr + header->e_phoff);
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const uintptr_t begin = object->l_addr + parts[i].p_vaddr;
    if (parts[i].p_type == PT_LOAD && address >= begin &&
        address + sizeof(ElfW(Sym)) <= begin + parts[i].p_memsz) {
      return (parts[i].p_flags & PF_X) == 0;
    }
  }
  return false;
}

bool probe_redirect_symbol(const struct link_map* object, const char* name, const void* to) {
  ElfW(Sym)* const symbol = (ElfW(Sym)*)find_symbol(object, name);
  const uintptr_t address = (uintptr_t)symbol;
  if (symbol == NULL || !is_plain_data(object, address)) {
    return false;
  }
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  void* const begin = pointer_to(address / page * page);
  const size_t size = address % page + sizeof *symbol;
  if (mprotect(begin, size, PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  symbol->st_value = (uintptr_t)to - object->l_addr;
  mprotect(begin, size, PROT_READ);
  return true;
}

static bool names(const struct Tables* tables, const ElfW(Rela) * relocations, size_t bytes,
                  const char* name) {
  const size_t count = relocations == NULL ? 0 : bytes / sizeof *relocations;
  for (size_t i = 0; i < count; ++i) {
#if __ELF_NATIVE_CLASS == 64
    const size_t index = ELF64_R_SYM(relocations[i].r_info);
#else
    const size_t index = ELF32_R_SYM(relocations[i].r_info);
#endif
    if (index != 0 && strcmp(tables->strings + tables->symbols[index].st_name, name) == 0) {
      return true;
    }
  }
  return false;
}

bool probe_refers_to(const struct link_map* object, const char* name) {
  if (object == NULL) {
    return false;
  }
  const struct Tables tables = tables_of(object);
  return tables.symbols != NULL && tables.strings != NULL &&
         (names(&tables, tables.calls, tables.call_bytes, name) ||
          names(&tables, tables.references, tables.reference_bytes, name));
}
