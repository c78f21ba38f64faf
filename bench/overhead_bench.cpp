// Time of a generation with enprof over without it: the same model in one process, through
// LlamaEngine::generate(), with a listener and the power monitor reading a stepping RAPL tree of
// two zones every 10 ms. Each measurement stands between two generations that have none of it, so
// that a drift of the machine's speed cancels; the order turns from round to round. Beside them the
// control, which has none of it either, and a graph callback that asks for every node.
#include "overhead_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/llama/llama_engine.hpp"
#include "figure.hpp"
#include "plain_generation.hpp"
#include "stepping_rapl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

constexpr int kThreads = 2;
constexpr int kFewestRounds = 1;
/// The first comes with the prefill, the others are as many as there are to one that is looked at.
constexpr int kTokens = 1 + GenerateOptions::kDefaultValuesEvery;
constexpr const char* kPrompt =
    "How many joules does a thought take? A clock ticks beside each operation, and a counter steps "
    "a thousand times a second. Between them lies the answer.";

/// Whether values are looked at, as often as enprof does by itself.
enum class Values : std::uint8_t { none, sampled };

struct Mode {
  std::string name;
  std::function<PhaseTimes()> generate;
  std::vector<double> prefill{};  // over that of the plain ones before and after
  std::vector<double> decode{};
};

template <class T>
T value_of(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

class OverheadBench {
 public:
  OverheadBench(std::string name, const char* path)
      : name_(std::move(name)),
        engine_(value_of(LlamaEngine::load(path, {.threads = kThreads}))),
        prompt_(value_of(engine_.tokenize(kPrompt))) {
    monitor_.emplace(value_of(PowerMonitor::open("rapl", {.sysfs_root = rapl_.root()})));
    static_cast<void>(plain());  // the first one touches memory that is new
    modes_ = {{"control", [this] { return plain(); }},
              {"minimal", [this] { return profiled(Depth::minimal); }},
              {"module", [this] { return profiled(Depth::module); }},
              {"deep", [this] { return profiled(Depth::deep); }},
              {"values", [this] { return profiled(Depth::deep, Values::sampled); }},
              {"every_node", [this] { return plain(Callback::every_node); }}};
  }

  void measure(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      PhaseTimes before = plain();
      for (std::size_t index = 0; index < modes_.size(); ++index) {
        Mode& mode = modes_[(index + static_cast<std::size_t>(round)) % modes_.size()];
        const PhaseTimes with = mode.generate();
        const PhaseTimes after = plain();
        mode.prefill.push_back(with.prefill / ((before.prefill + after.prefill) / 2));
        mode.decode.push_back(with.decode / ((before.decode + after.decode) / 2));
        token_ms_.push_back(after.decode / (kTokens - 1) * 1e3);
        prefill_ms_.push_back(after.prefill * 1e3);
        before = after;
      }
    }
  }

  void print() const {
    const std::string prefix = "overhead." + name_ + ".";
    figure(prefix + "token_time", median(token_ms_), "ms");
    figure(prefix + "prefill_time", median(prefill_ms_), "ms");
    for (const Mode& mode : modes_) {
      figure(prefix + mode.name + "_decode", median(mode.decode), "ratio");
      figure(prefix + mode.name + "_prefill", median(mode.prefill), "ratio");
      // How far apart the middle half of the rounds lies: a median is to be read against it.
      figure(prefix + mode.name + "_decode_spread", spread(mode.decode), "ratio");
    }
  }

 private:
  [[nodiscard]] PhaseTimes plain(Callback callback = Callback::none) const {
    return generate_plainly(engine_, prompt_, kTokens, kThreads, callback);
  }

  PhaseTimes profiled(Depth depth, Values values = Values::none) {
    if (const auto started = monitor_->start(); !started) {
      throw std::runtime_error(started.error().message);
    }
    PhaseTimes times;
    {
      InferencePipelineProfiler profiler{&*monitor_, nullptr};
      std::size_t heard = 0;
      profiler.on([&](const Event&) { ++heard; });
      RunScope run = profiler.run(
          {.model_name = "bench", .depth = depth, .max_output_tokens = std::size_t{kTokens}});
      GenerateOptions options{.prompt = kPrompt, .max_tokens = kTokens, .ignore_eos = true};
      if (values == Values::none) {
        options.values_every = 0;
      }
      const GenerateResult generated = value_of(engine_.generate(run, options));
      const ProfiledRun& result = run.finish();
      if (generated.output_tokens != std::size_t{kTokens}) {
        throw std::runtime_error("the generation ended early");
      }
      check(result, depth, values);
      for (const PhaseFigure& phase : result.phases) {
        (phase.phase == Phase::prefill ? times.prefill : times.decode) +=
            phase.phase == Phase::prefill || phase.phase == Phase::decode
                ? seconds(phase.figure.duration)
                : 0.0;
      }
    }
    monitor_->stop();
    return times;
  }

  /// What is measured must have been done.
  static void check(const ProfiledRun& run, Depth depth, Values values) {
    if (run.layers.empty() != (depth == Depth::minimal) ||
        run.operation_table.events.empty() != (depth == Depth::minimal) ||
        run.operations.empty() != (depth != Depth::deep) ||
        run.values.passes != (values == Values::none ? 0U : 1U)) {
      throw std::runtime_error(
          fmt::format("depth {} did not bring what it should", to_string(depth)));
    }
  }

  [[nodiscard]] static double spread(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() * 3 / 4] - values[values.size() / 4];
  }

  std::string name_;
  SteppingRapl rapl_;  // before there are threads, and all the time: the plain ones bear it too
  LlamaEngine engine_;
  std::vector<LlamaEngine::Token> prompt_;
  std::optional<PowerMonitor> monitor_;
  std::vector<Mode> modes_;
  std::vector<double> token_ms_;
  std::vector<double> prefill_ms_;
};

}  // namespace

bool bench_overhead(std::span<const char* const> arguments) {
  const int rounds = arguments.size() == 3 ? std::atoi(arguments[2]) : 0;
  if (rounds < kFewestRounds) {
    std::fputs("enprof_bench: overhead wants a name, a model file, and a number of rounds\n",
               stderr);
    return false;
  }
  OverheadBench bench(arguments[0], arguments[1]);
  bench.measure(rounds);
  bench.print();
  return true;
}

}  // namespace enprof::bench
