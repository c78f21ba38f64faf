#include "record/probe_arena.hpp"

#include "base/kernel_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <sys/mman.h>
#include <sys/syscall.h>
#endif

namespace enprof {
namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free &&
              std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace

#if defined(__linux__)

namespace {

/// A mapping of a file, for as long as the object lives.
class Mapping {
 public:
  Mapping() = default;
  Mapping(int file, std::uint64_t offset, std::size_t size) : size_(size) {
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
    memory_ = memory == MAP_FAILED ? nullptr : memory;
  }
  Mapping(Mapping&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (memory_ != nullptr) {
      munmap(memory_, size_);
    }
  }
  template <class T>
  [[nodiscard]] T* at(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(memory_) + offset);
  }
  [[nodiscard]] bool is_valid() const { return memory_ != nullptr; }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

template <std::size_t Size>
std::string text_in(const char (&text)[Size]) {  // NOLINT(modernize-avoid-c-arrays): the header's
  std::array<char, Size> copy{};
  std::memcpy(copy.data(), text, Size);  // the other process may still write it
  return {copy.data(), strnlen(copy.data(), Size)};
}

/// Where the kernel has no pidfd: the stat file costs the time of a look at each thread.
bool is_alive(pid_t pid) {
  // A zombie has ended: it writes nothing.
  if (::kill(pid, 0) != 0 && errno == ESRCH) {
    return false;
  }
  const auto stat = text_of(fmt::format("/proc/{}/stat", pid));
  if (!stat) {
    return false;
  }
  const std::size_t state = stat->rfind(')');
  return state == std::string::npos || state + 2 >= stat->size() ||
         ((*stat)[state + 2] != 'Z' && (*stat)[state + 2] != 'X');
}

/// Whether a process has ended, which is asked many times a second. A zombie has.
class ProcessEnd {
 public:
  ProcessEnd() = default;
  explicit ProcessEnd(pid_t pid) : pid_(pid), file_(open(pid)) {}
  ProcessEnd(ProcessEnd&& other) noexcept
      : pid_(other.pid_), file_(std::exchange(other.file_, -1)) {}
  ProcessEnd& operator=(ProcessEnd&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~ProcessEnd() {
    if (file_ >= 0) {
      close(file_);
    }
  }
  [[nodiscard]] bool has_come() const {
    if (file_ < 0) {
      return !is_alive(pid_);
    }
    pollfd waiting{.fd = file_, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

 private:
  /// Negative where it cannot be: before Linux 5.3, or if it is forbidden.
  static int open(pid_t pid) {
#if defined(SYS_pidfd_open)
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
#else
    return -1;
#endif
  }

  pid_t pid_ = -1;
  int file_ = -1;
};

}  // namespace

class ProbeArena::Impl {
 public:
  Impl(int file, Mapping header, MakeSink make_sink, OnEnd on_end)
      : file_(file),
        header_(std::move(header)),
        make_sink_(std::move(make_sink)),
        on_end_(std::move(on_end)),
        slots_(kProbeSlots) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { close(file_); }

  [[nodiscard]] int file() const { return file_; }
  [[nodiscard]] ProbeArenaHeader& header() const { return *header_.at<ProbeArenaHeader>(); }

  std::size_t read() {
    std::size_t count = 0;
    for (std::uint32_t number = 0; number < kProbeSlots; ++number) {
      Slot& slot = slots_[number];
      if (!slot.is_open && header().states[number].load() == kProbeSlotLive) {
        open(slot, number);
      }
      if (slot.is_open) {
        // Asked before its rings are read, so that nothing is missed of one that has ended.
        const bool has_ended = slot.process.has_come();
        count += read(slot);
        if (has_ended) {
          end(slot, number);
        }
      }
    }
    return count;
  }

  void finish() {
    read();
    for (std::uint32_t number = 0; number < kProbeSlots; ++number) {
      if (slots_[number].is_open) {
        end(slots_[number], number);
      }
    }
  }

  [[nodiscard]] std::size_t processes() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(slots_, [](const Slot& slot) { return slot.is_open; }));
  }

 private:
  struct Ring {
    std::unique_ptr<ToldSink> sink;
    std::unique_ptr<ToldRecords> records;
    std::uint64_t tail = 0;
    std::optional<Error> damage;
  };
  struct Slot {
    bool is_open = false;
    Mapping memory;
    pid_t pid = -1;
    ProcessEnd process;
    std::array<Ring, kProbeRings> rings;
  };

  void open(Slot& slot, std::uint32_t number) {
    slot.memory = Mapping(file_, kProbeHeaderBytes + number * ENPROF_PROBE_SLOT_BYTES,
                          ENPROF_PROBE_SLOT_BYTES);
    if (!slot.memory.is_valid()) {
      return;  // no memory now: the next call tries again
    }
    slot.pid = slot.memory.at<ProbeSlotHeader>()->pid;
    slot.is_open = slot.pid > 0;
    slot.process = ProcessEnd(slot.pid);
  }

  std::size_t read(Slot& slot) {
    std::size_t count = 0;
    for (std::uint32_t number = 0; number < kProbeRings; ++number) {
      count += read(slot, slot.rings[number], number);
    }
    return count;
  }

  std::size_t read(const Slot& slot, Ring& ring, std::uint32_t number) {
    ProbeRingHeader& header = slot.memory.at<ProbeSlotHeader>()->rings[number];
    const std::uint64_t head = header.head.load(std::memory_order_acquire);
    if (head == ring.tail || ring.damage) {
      return 0;
    }
    if (head - ring.tail > kProbeRingCells) {
      ring.damage = Error{ErrorCode::malformed,
                          fmt::format("The probe's records are damaged: a ring of {} cells has {}",
                                      std::uint32_t{kProbeRingCells}, head - ring.tail),
                          ""};
      return 0;
    }
    if (!ring.records) {
      ring.sink = make_sink_(slot.pid);
      ring.records = std::make_unique<ToldRecords>(*ring.sink);
    }
    const ProbeCell* const cells = slot.memory.at<ProbeCell>(
        kProbeHeaderBytes + std::size_t{number} * kProbeRingCells * kProbeCellBytes);
    std::size_t count = 0;
    for (; ring.tail != head; ++ring.tail, ++count) {
      // Copied first: what was checked must not change afterwards.
      ProbeCell cell;
      std::memcpy(&cell, &cells[ring.tail & (kProbeRingCells - 1)], sizeof cell);
      if (const auto added = ring.records->add(cell); !added) {
        ring.damage = added.error();
        break;
      }
    }
    header.tail.store(ring.tail, std::memory_order_release);
    return count;
  }

  void end(Slot& slot, std::uint32_t number) {
    const ProbeSlotHeader& told = *slot.memory.at<ProbeSlotHeader>();
    ProbeLosses losses{.contexts = told.contexts_left_out.load(),
                       .libraries = told.libraries_left_out.load(),
                       .own_callbacks = told.own_callbacks.load()};
    for (std::size_t ring = 0; ring < kProbeRings; ++ring) {
      losses.passes += told.rings[ring].lost_passes.load();
      losses.graphs += told.rings[ring].lost_graphs.load();
      if (slot.rings[ring].damage) {
        losses.damage = slot.rings[ring].damage;
      }
    }
    on_end_(slot.pid,
            {.file = text_in(told.library),
             .llama_version = text_in(told.llama_version),
             .ggml_version = text_in(told.ggml_version),
             .ggml_commit = text_in(told.ggml_commit),
             .knows = told.knows.load(),
             .was_checked = told.checked.load() != 0},
            losses);
    const bool has_ended = slot.process.has_come();
    slot = Slot{};
    if (has_ended) {
      // Its memory is given back, zeroed for the next process. One that lives keeps its slot.
      fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(kProbeHeaderBytes + number * ENPROF_PROBE_SLOT_BYTES),
                static_cast<off_t>(ENPROF_PROBE_SLOT_BYTES));
      header().states[number].store(kProbeSlotFree);
    }
  }

  int file_;
  Mapping header_;
  MakeSink make_sink_;
  OnEnd on_end_;
  std::vector<Slot> slots_;
};

Result<ProbeArena> ProbeArena::create(std::uint32_t wanted, MakeSink make_sink, OnEnd on_end) {
  const auto failed = [](const char* what) {
    return fail(ErrorCode::io, fmt::format("No memory for the records of other programs: {}: {}",
                                           what, std::generic_category().message(errno)));
  };
  const int file = memfd_create("enprof-probe", MFD_CLOEXEC);
  if (file < 0) {
    return failed("memfd_create");
  }
  if (ftruncate(file, static_cast<off_t>(ENPROF_PROBE_ARENA_BYTES)) != 0) {
    auto error = failed("ftruncate");
    close(file);
    return error;
  }
  Mapping memory(file, 0, kProbeHeaderBytes);
  if (!memory.is_valid()) {
    auto error = failed("mmap");
    close(file);
    return error;
  }
  auto* const header = new (memory.at<void>()) ProbeArenaHeader{};
  header->slots = kProbeSlots;
  header->slot_bytes = ENPROF_PROBE_SLOT_BYTES;
  header->wanted = wanted;
  header->version = ENPROF_PROBE_VERSION;
  header->magic = ENPROF_PROBE_MAGIC;
  return ProbeArena(
      std::make_unique<Impl>(file, std::move(memory), std::move(make_sink), std::move(on_end)));
}

std::string ProbeArena::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), impl_->file());
}
std::size_t ProbeArena::read() { return impl_->read(); }
std::size_t ProbeArena::processes() const { return impl_->processes(); }
std::size_t ProbeArena::unserved() const { return impl_->header().unserved.load(); }
std::vector<std::string> ProbeArena::suspects() const {
  std::vector<std::string> files;
  for (const auto& told : impl_->header().suspect) {
    if (std::string file = text_in(told); !file.empty()) {
      files.push_back(std::move(file));
    }
  }
  return files;
}
void ProbeArena::finish() { impl_->finish(); }

#else

class ProbeArena::Impl {};

Result<ProbeArena> ProbeArena::create(std::uint32_t, MakeSink, OnEnd) {
  return fail(ErrorCode::unsupported, "Programs can be looked into on Linux only");
}
std::string ProbeArena::path() const { return {}; }
std::size_t ProbeArena::read() { return 0; }
std::size_t ProbeArena::processes() const { return 0; }
std::size_t ProbeArena::unserved() const { return 0; }
std::vector<std::string> ProbeArena::suspects() const { return {}; }
void ProbeArena::finish() {}

#endif

ProbeArena::ProbeArena(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProbeArena::ProbeArena(ProbeArena&&) noexcept = default;
ProbeArena& ProbeArena::operator=(ProbeArena&&) noexcept = default;
ProbeArena::~ProbeArena() = default;

}  // namespace enprof
