#include "session/command_probe.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"probe"};
constexpr const char* kAudit = "LD_AUDIT";

/// Where each of several figures is one, "a pass".
std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return count == 1 ? fmt::format("{} {}", count, one) : fmt::format("{} {}", count, many);
}

/// What the user has in LD_AUDIT, with a colon behind it; without the probe of an enprof that
/// measures us: two in one process would both count.
std::string other_auditors(std::string_view variable) {
  std::string others;
  while (!variable.empty()) {
    const std::string_view one = variable.substr(0, variable.find(':'));
    variable.remove_prefix(std::min(one.size() + 1, variable.size()));
    if (!one.empty() && std::filesystem::path{one}.filename() != "libenprof-probe.so") {
      others += fmt::format("{}:", one);
    }
  }
  return others;
}

}  // namespace

Result<std::unique_ptr<CommandProbe>> CommandProbe::open(Options options) {
  const std::string library = options.library.string();
  if (library.find_first_of(": ") != std::string::npos) {
    return fail(ErrorCode::unsupported,
                fmt::format("The dynamic linker takes no file {}: colons and blanks separate files",
                            library),
                "Install enprof under a path without them.");
  }
  std::unique_ptr<CommandProbe> probe(new CommandProbe(std::move(options)));
  auto arena = ProbeArena::create(
      (probe->options_.plan ? std::uint32_t{kProbeWantsOperations} : 0) |
          (probe->options_.tokens ? std::uint32_t{kProbeWantsTokens} : 0),
      [self = probe.get()](pid_t pid) { return self->feed_.make_sink(pid); },
      [self = probe.get()](pid_t pid, const ProbedLibrary& of, const ProbeLosses& losses) {
        kLog.debug("Process {} with {} has ended", pid, of.file);
        self->feed_.end_process(pid, monotonic_clock().now());
        self->add_end(of, losses);
      });
  if (!arena) {
    return std::unexpected(arena.error());
  }
  probe->arena_ = std::move(*arena);
  return probe;
}

CommandProbe::CommandProbe(Options options)
    : options_(std::move(options)), feed_(options_.plan, options_.live) {}

CommandProbe::~CommandProbe() = default;

std::vector<std::string> CommandProbe::variables() const {
  const char* const others = std::getenv(kAudit);
  return {fmt::format("{}={}{}", kAudit, other_auditors(others != nullptr ? others : ""),
                      options_.library.string()),
          fmt::format("{}={}", ENPROF_PROBE_ARENA_VARIABLE, arena_->path())};
}

void CommandProbe::start() {
  const auto started = thread_.start({.name = "probe-reader",
                                      .purpose = "read what the command's probe writes",
                                      .period = options_.period,
                                      .first = options_.period},
                                     [this] { arena_->read(); });
  if (!started) {
    kLog.warning("What the command's probe writes is read at its end only: {}",
                 started.error().message);
  }
}

std::shared_ptr<CaptureRecording> CommandProbe::stop(Instant begin, Instant end, RunScope& run) {
  thread_.stop();
  arena_->finish();
  feed_.add_lost(losses_.passes);
  model_ = feed_.model();
  warn(run);
  return feed_.finish(begin, end);
}

void CommandProbe::add_end(const ProbedLibrary& library, const ProbeLosses& losses) {
  if (library.was_checked || libraries_.empty()) {
    libraries_.push_back(library);
  }
  losses_.passes += losses.passes;
  losses_.graphs += losses.graphs;
  losses_.contexts += losses.contexts;
  losses_.libraries += losses.libraries;
  losses_.own_callbacks += losses.own_callbacks;
  if (losses.damage) {
    losses_.damage = losses.damage;
  }
}

namespace {

/// One that was loaded and never called: an addon that contains llama.cpp calls it without being
/// bound to it, though it shows its functions to others.
bool is_only_contained(const ProbedLibrary& library) {
  return !library.was_checked &&
         !std::filesystem::path{library.file}.filename().string().starts_with("libllama");
}

}  // namespace

bool CommandProbe::found_any() const {
  return std::ranges::any_of(libraries_, std::not_fn(is_only_contained));
}

std::vector<std::string> CommandProbe::suspects() const {
  std::vector<std::string> files = arena_->suspects();
  for (const ProbedLibrary& library : libraries_) {
    if (is_only_contained(library)) {
      files.push_back(library.file);
    }
  }
  return files;
}

void CommandProbe::warn(RunScope& run) const {
  for (const ProbedLibrary& library : libraries_) {
    if (library.was_checked &&
        (library.knows & kProbeKnowsGraphs) != std::uint32_t{kProbeKnowsGraphs}) {
      warn_of_library(library, run);
      break;
    }
  }
  warn_of_losses(run);
  if (options_.plan) {
    warn_of_operations(run);
  }
}

void CommandProbe::warn_of_library(const ProbedLibrary& library, RunScope& run) {
  const bool has_tokens = (library.knows & kProbeKnowsBatch) != 0;
  run.warn({.component = "probe",
            .code = "library_unknown",
            .message = fmt::format(
                "{}{} is not built as enprof knows llama.cpp: {}", library.file,
                library.llama_version.empty() ? "" : " (version " + library.llama_version + ")",
                has_tokens ? "its passes and tokens are known, its layers are not"
                           : "its passes are known, their tokens and layers are not"),
            .hint = "Nothing is wrong with the program. A shared llama.cpp whose ggml is a "
                    "library of its own, of a release of 2025 or later, tells more."});
}

void CommandProbe::warn_of_losses(RunScope& run) const {
  const CaptureFeed::Counts& counts = feed_.counts();
  if (losses_.damage) {
    run.warn({.component = "probe",
              .code = "records_damaged",
              .message = losses_.damage->message + ". What came after is missing",
              .hint = "The program wrote over its memory, or another program into it."});
  }
  if (losses_.contexts > 0 || losses_.libraries > 0 || arena_->unserved() > 0) {
    run.warn({.component = "probe",
              .code = "partly_followed",
              .message = fmt::format(
                  "Not all was followed: {} passes of contexts beyond {}, {} more copies of "
                  "llama.cpp in a process, {} processes beyond {}",
                  losses_.contexts, std::uint32_t{kProbeRings}, losses_.libraries,
                  arena_->unserved(), std::uint32_t{kProbeSlots}),
              .hint = "The energy of what was not followed is in the run, outside its passes."});
  }
  if (counts.other_sequences > 0) {
    run.warn({.component = "probe",
              .code = "sequences_left_out",
              .message = fmt::format("{} were in batches of more than {} sequences, which are not "
                                     "told apart: their requests are not known",
                                     counted(counts.other_sequences, "sequence", "sequences"),
                                     std::uint32_t{kProbeSequences}),
              .hint = ""});
  }
  if (counts.failed > 0) {
    run.warn({.component = "probe",
              .code = "passes_failed",
              .message = fmt::format("llama.cpp returned an error from {} of {}",
                                     counted(counts.failed, "pass", "passes"), counts.passes),
              .hint = "The program handled it, or ended. A full cache is the usual reason."});
  }
}

void CommandProbe::warn_of_operations(RunScope& run) const {
  const CaptureFeed::Counts& counts = feed_.counts();
  if (counts.passes == 0) {
    return;
  }
  const bool is_known = std::ranges::none_of(libraries_, [](const ProbedLibrary& library) {
    return (library.knows & kProbeKnowsGraphs) != std::uint32_t{kProbeKnowsGraphs};
  });
  if (counts.untimed > 0 && is_known) {
    run.warn({.component = "probe",
              .code = "operations_untimed",
              .message = fmt::format(
                  "The operations of {} of {} are not known: {}",
                  counted(counts.untimed, "pass", "passes"), counts.passes,
                  counts.own_callbacks > 0
                      ? "the program has an eval callback of its own, which was left alone"
                      : "a GPU computes them, or they did not fit"),
              .hint = "Tokens and phases are known. Where a GPU computes, timing each operation "
                      "would slow the program down; -ngl 0 computes on the CPU."});
  }
  if (counts.unplanned > 0) {
    run.warn(
        {.component = "probe",
         .code = "graphs_unknown",
         .message = fmt::format(
             "The stamps of {} fit no plan of their graphs: their operations are not known{}",
             counted(counts.unplanned, "pass", "passes"),
             counts.too_many_plans ? fmt::format(". The run's graphs are of more than {} kinds",
                                                 CaptureFeed::kMostPlans)
                                   : ""),
         .hint = losses_.graphs > 0
                     ? "Descriptions of graphs did not fit into the memory between the "
                       "program and enprof: the machine was too busy."
                     : ""});
  }
}

}  // namespace enprof
