// Decode time with enprof over without it: the same model, context and loop in one process, in
// interleaved pairs; with it, the scopes that the engine opens for each token, a listener, and the
// power monitor reading a RAPL tree of two zones every 10 ms. Beside it the control: pairs in which
// neither has it.
#include "overhead_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "figure.hpp"
#include "support/temp_dir.hpp"

#include <llama.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace enprof::bench {
namespace {

constexpr int kPairs = 31;
constexpr int kTokens = 48;
constexpr int kThreads = 2;

using Model = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using Context = std::unique_ptr<llama_context, decltype(&llama_free)>;
using Sampler = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

/// A greedy decode loop, with or without scopes around its parts.
class DecodeLoop {
 public:
  explicit DecodeLoop(const std::filesystem::path& path)
      : model_(llama_model_load_from_file(path.c_str(), llama_model_default_params()),
               llama_model_free),
        context_(nullptr, llama_free),
        sampler_(llama_sampler_init_greedy(), llama_sampler_free) {
    if (!model_) {
      return;
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = kThreads;
    params.n_threads_batch = kThreads;
    context_.reset(llama_init_from_model(model_.get(), params));
  }

  [[nodiscard]] bool ready() const { return context_ != nullptr; }

  /// Seconds that kTokens tokens took, after a prompt of four. `run` may be null.
  double decode(RunScope* run) {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    std::array<llama_token, 4> prompt{1, 100, 200, 300};
    llama_decode(context_.get(), llama_batch_get_one(prompt.data(), prompt.size()));
    llama_token token = llama_sampler_sample(sampler_.get(), context_.get(), -1);
    if (run != nullptr) {
      run->enter(Phase::decode);
    }
    const auto begin = std::chrono::steady_clock::now();
    for (int step = 0; step < kTokens; ++step) {
      if (run != nullptr) {
        token = profiled_step(*run, token);
      } else {
        forward(token);
        token = sample();
        detokenize(token);
      }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  llama_token profiled_step(RunScope& run, llama_token token) {
    TokenScope scope = run.token(Phase::decode);
    {
      const SectionScope section = run.section(Phase::decode, "forward");
      forward(token);
    }
    {
      const SectionScope section = run.section(Phase::decode, "sampling");
      token = sample();
    }
    {
      const SectionScope section = run.section(Phase::decode, "detokenization");
      scope.set_text(detokenize(token));
    }
    return token;
  }

  void forward(llama_token token) {
    llama_decode(context_.get(), llama_batch_get_one(&token, 1));
    llama_synchronize(context_.get());
  }
  llama_token sample() { return llama_sampler_sample(sampler_.get(), context_.get(), -1); }
  std::string_view detokenize(llama_token token) {
    const int length =
        llama_token_to_piece(llama_model_get_vocab(model_.get()), token, piece_.data(),
                             static_cast<std::int32_t>(piece_.size()), 0, true);
    return {piece_.data(), static_cast<std::size_t>(length > 0 ? length : 0)};
  }

  Model model_;
  Context context_;
  Sampler sampler_;
  std::array<char, 256> piece_{};
};

double profiled_decode(DecodeLoop& loop, PowerMonitor& monitor) {
  InferencePipelineProfiler profiler{&monitor, nullptr};
  std::size_t heard = 0;
  profiler.on([&](const Event&) { ++heard; });
  RunScope run = profiler.run({.model_name = "bench", .max_output_tokens = kTokens});
  const double took = loop.decode(&run);
  run.abandon();
  return took;
}

}  // namespace

bool bench_overhead(const std::filesystem::path& path) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  DecodeLoop loop(path);
  if (!loop.ready()) {
    std::fprintf(stderr, "enprof_bench: cannot load %s\n", path.c_str());
    return false;
  }
  const testing::TempDir sysfs;
  for (const char* zone : {"intel-rapl:0", "intel-rapl:0/intel-rapl:0:0"}) {
    const std::string directory = std::string("class/powercap/") + zone;
    sysfs.write(directory + "/name", directory.ends_with(":0:0") ? "dram\n" : "package-0\n");
    sysfs.write(directory + "/energy_uj", "123456789\n");
    sysfs.write(directory + "/max_energy_range_uj", "262143328850\n");
  }
  auto monitor = PowerMonitor::open("rapl", {.sysfs_root = sysfs.path()});
  if (!monitor) {
    std::fprintf(stderr, "enprof_bench: %s\n", monitor.error().message.c_str());
    return false;
  }

  static_cast<void>(loop.decode(nullptr));  // the first one touches memory that is new
  std::vector<double> with_over_without;
  std::vector<double> control;
  std::vector<double> per_token;
  const auto plain = [&] { return loop.decode(nullptr); };
  for (int pair = 0; pair < kPairs; ++pair) {
    // Each measurement between two plain ones, so that a drift of the machine's speed cancels.
    const double before = plain();
    if (const auto started = monitor->start(); !started) {
      std::fprintf(stderr, "enprof_bench: %s\n", started.error().message.c_str());
      return false;
    }
    const double with = profiled_decode(loop, *monitor);
    monitor->stop();
    const double between = plain();
    const double without = plain();
    const double after = plain();
    with_over_without.push_back(with / ((before + between) / 2));
    control.push_back(without / ((between + after) / 2));
    per_token.push_back(between / kTokens * 1e3);
  }
  figure("overhead.token_time", median(per_token), "ms");
  figure("overhead.decode_minimal", median(with_over_without), "ratio");
  figure("overhead.control_a_a", median(control), "ratio");
  return true;
}

}  // namespace enprof::bench
