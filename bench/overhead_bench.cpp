// Measures the time of a generation with enprof divided by the time without it: the same model in
// one process, through LlamaEngine::generate(), with a listener and the power monitor, which reads
// a RAPL tree of two stepping zones and was started before, as in the program. A second generation
// without enprof takes turns on the same thread, token by token, so that each token is measured
// between two plain ones and a drift of the machine's speed cancels. The CPU time of enprof's own
// threads is the same in both, and hence is not in their ratio. It is measured in a generation with
// nothing beside it, and added, because if all CPUs compute, each microsecond of it delays the
// inference by one.
#include "overhead_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/llama/llama_engine.hpp"
#include "figure.hpp"
#include "paired_ratio.hpp"
#include "plain_generation.hpp"
#include "stepping_rapl.hpp"
#include "thread_cpu_time.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kThreads = 2;
constexpr int kFewestRounds = 1;
constexpr std::chrono::seconds kBefore{1};  // the monitor finds the counter's step
constexpr double kPrefillSeconds = 1.0;     // per mode and round
/// The first token comes with the prefill; of the others, the values of exactly one are sampled.
constexpr int kTokens = 1 + GenerateOptions::kDefaultValuesEvery;
constexpr const char* kPrompt =
    "How many joules does a thought take? A clock ticks beside each operation, and a counter steps "
    "a thousand times a second. Between them lies the answer.";

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

template <class T>
T value_of(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

/// Called after each output token of a generation, with its index.
using OnToken = std::function<void(std::size_t)>;

struct Mode {
  std::string name;
  /// Runs a generation of this many tokens. Returns the seconds of its prefill, including the first
  /// output token.
  std::function<double(int, const OnToken&)> generate;
  bool has_threads = true;                     ///< its own, beside those that compute
  std::vector<std::vector<Paired>> prefill{};  // one step
  std::vector<std::vector<Paired>> decode{};   // one step per token
  std::vector<double> background{};            // share of one CPU
  std::map<std::string, std::vector<double>> background_by_thread{};
};

class OverheadBench {
 public:
  OverheadBench(std::string name, const char* path)
      : name_(std::move(name)),
        engine_(value_of(LlamaEngine::load(path, {.threads = kThreads}))),
        prompt_(value_of(engine_.tokenize(kPrompt))) {
    static_cast<void>(
        plain(Callback::none, kTokens, [](std::size_t) {}));  // first access to new memory
    computing_ = thread_ids();
    monitor_.emplace(value_of(PowerMonitor::open("rapl", {.sysfs_root = rapl_.root()})));
    if (const auto started = monitor_->start(); !started) {
      throw std::runtime_error(started.error().message);
    }
    std::this_thread::sleep_for(kBefore);
    const auto plainly = [this](Callback callback) {
      return [this, callback](int tokens, const OnToken& on_token) {
        return plain(callback, tokens, on_token);
      };
    };
    const auto at = [this](Depth depth, int values_every) {
      return [this, depth, values_every](int tokens, const OnToken& on_token) {
        return profiled(depth, values_every, tokens, on_token);
      };
    };
    modes_ = {{"control", plainly(Callback::none), false},
              {"minimal", at(Depth::minimal, 0)},
              {"module", at(Depth::module, 0)},
              {"deep", at(Depth::deep, 0)},
              {"values", at(Depth::deep, GenerateOptions::kDefaultValuesEvery)},
              {"every_node", plainly(Callback::every_node), false}};
  }

  /// The order of the modes rotates from round to round.
  void measure(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t index = 0; index < modes_.size(); ++index) {
        Mode& mode = modes_[(index + static_cast<std::size_t>(round)) % modes_.size()];
        take_turns(mode);
        repeat_prefill(mode);
        if (mode.has_threads) {
          watch_threads(mode);
        }
      }
    }
  }

  void print() const {
    const std::string prefix = "overhead." + name_ + ".";
    figure(prefix + "token_time", median(token_ms_), "ms");
    figure(prefix + "prefill_time", median(prefill_ms_), "ms");
    for (const Mode& mode : modes_) {
      const double background = mode.has_threads ? median(mode.background) : 0.0;
      if (mode.has_threads) {
        figure(prefix + mode.name + "_background", background, "CPUs");
        for (const auto& [thread, shares] : mode.background_by_thread) {
          figure(fmt::format("{}{}_background.{}", prefix, mode.name, thread), median(shares),
                 "CPUs");
        }
      }
      for (const auto& [part, rounds] :
           {std::pair{"_decode", &mode.decode}, {"_prefill", &mode.prefill}}) {
        const PairedRatio found = paired_ratio(*rounds);
        figure(prefix + mode.name + part, found.ratio + background, "ratio");
        figure(prefix + mode.name + part + "_error", found.error, "ratio");
      }
    }
  }

 private:
  [[nodiscard]] PlainGeneration open(Callback callback = Callback::none) const {
    return {engine_, prompt_, kTokens, kThreads, callback};
  }

  [[nodiscard]] double plain(Callback callback, int tokens, const OnToken& on_token) const {
    PlainGeneration generation = open(callback);
    const double prefill = generation.next();
    on_token(0);
    for (std::size_t token = 1; token < static_cast<std::size_t>(tokens); ++token) {
      generation.next();
      on_token(token);
    }
    return prefill;
  }

  void take_turns(Mode& mode) {
    Paired prefill{.before = open().next()};
    PlainGeneration beside = open();
    std::vector<double> with;
    std::vector<double> plain;
    SteadyClock::time_point resumed;
    prefill.with = mode.generate(kTokens, [&](std::size_t token) {
      if (token == 0) {
        prefill.after = beside.next();
      } else {
        with.push_back(seconds_since(resumed));
      }
      plain.push_back(beside.next());
      resumed = SteadyClock::now();
    });
    std::vector<Paired> decode;
    for (std::size_t token = 0; token < with.size(); ++token) {
      decode.push_back({.with = with[token], .before = plain[token], .after = plain[token + 1]});
      token_ms_.push_back(plain[token] * 1e3);
    }
    prefill_ms_.push_back(prefill.before * 1e3);
    mode.prefill.push_back({prefill});
    mode.decode.push_back(std::move(decode));
  }

  /// Measures more prefills, between plain ones: there is only one per generation.
  void repeat_prefill(Mode& mode) {
    double before = open().next();
    const auto begin = SteadyClock::now();
    do {
      const double with = mode.generate(1, [](std::size_t) {});
      const double after = open().next();
      mode.prefill.push_back({{.with = with, .before = before, .after = after}});
      before = after;
    } while (seconds_since(begin) < kPrefillSeconds);
  }

  /// Measures the threads' CPU time from the first output token to the last.
  void watch_threads(Mode& mode) const {
    SteadyClock::time_point begin;
    std::map<std::string, double> used;
    static_cast<void>(mode.generate(kTokens, [&](std::size_t token) {
      if (token == 0) {
        used = cpu_seconds_of_other_threads(computing_);
        begin = SteadyClock::now();
      } else if (token == kTokens - 1) {
        double sum = 0.0;
        const double took = seconds_since(begin);
        for (const auto& [thread, seconds] : cpu_seconds_of_other_threads(computing_)) {
          const double share = (seconds - used[thread]) / took;
          mode.background_by_thread[thread].push_back(share);
          sum += share;
        }
        mode.background.push_back(sum);
      }
    }));
  }

  double profiled(Depth depth, int values_every, int tokens, const OnToken& on_token) {
    const auto wanted = static_cast<std::size_t>(tokens);
    InferencePipelineProfiler profiler{&*monitor_, nullptr};
    std::size_t heard = 0;
    profiler.on([&](const Event&) { ++heard; });
    RunScope run =
        profiler.run({.model_name = "bench", .depth = depth, .max_output_tokens = wanted});
    const GenerateResult generated = value_of(engine_.generate(
        run, {.prompt = kPrompt,
              .max_tokens = tokens,
              .ignore_eos = true,
              .values_every = values_every,
              .on_token = [&](std::size_t token, std::string_view) { on_token(token); }}));
    const ProfiledRun& result = run.finish();
    if (generated.output_tokens != wanted) {
      throw std::runtime_error("the generation ended early");
    }
    check(result, depth, wanted > 1 && values_every > 0 ? 1 : 0);
    return prefill_seconds(result);
  }

  [[nodiscard]] static double prefill_seconds(const ProfiledRun& run) {
    for (const PhaseFigure& phase : run.phases) {
      if (phase.phase == Phase::prefill) {
        const TokenFigure& first = run.tokens.front();
        return seconds(first.begin + first.figure.duration - phase.begin);
      }
    }
    throw std::runtime_error("the run has no prefill");
  }

  /// Checks that the generation did what is being measured.
  static void check(const ProfiledRun& run, Depth depth, std::size_t value_passes) {
    if (run.layers.empty() != (depth == Depth::minimal) ||
        run.operation_table.events.empty() != (depth == Depth::minimal) ||
        run.operations.empty() != (depth != Depth::deep) || run.values.passes != value_passes) {
      throw std::runtime_error(
          fmt::format("depth {} did not record what it should", to_string(depth)));
    }
  }

  std::string name_;
  SteppingRapl rapl_;  // started before threads; runs all the time, also for plain generations
  LlamaEngine engine_;
  std::vector<LlamaEngine::Token> prompt_;
  std::set<int> computing_;
  std::optional<PowerMonitor> monitor_;
  std::vector<Mode> modes_;
  std::vector<double> token_ms_;
  std::vector<double> prefill_ms_;
};

}  // namespace

bool bench_overhead(std::span<const char* const> arguments) {
  const int rounds = arguments.size() == 3 ? std::atoi(arguments[2]) : 0;
  if (rounds < kFewestRounds) {
    std::fputs("enprof_bench: overhead needs a name, a model file, and a number of rounds\n",
               stderr);
    return false;
  }
  OverheadBench bench(arguments[0], arguments[1]);
  bench.measure(rounds);
  bench.print();
  return true;
}

}  // namespace enprof::bench
