// Profiles an "engine" of one's own with enprof's scopes: here a loop that burns CPU time in place
// of a model. Prints its text as it comes, and where the energy went.
#include <enprof/enprof.hpp>

#include <chrono>
#include <cstdio>
#include <string>

namespace {

/// Stands for a forward pass: keeps one CPU busy for a while.
void work(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  volatile double sink = 1.0;
  while (std::chrono::steady_clock::now() < end) {
    sink = sink * 1.000001 + 1e-9;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "profiles.db";
  const std::string power = argc > 2 ? argv[2] : "auto";

  auto database = enprof::ProfileDatabase::connect(path);
  auto monitor = enprof::PowerMonitor::open(power);
  enprof::InferencePipelineProfiler profiler{monitor, database};
  // Called on the profiler's own thread, a moment after each token: the engine never waits for it.
  profiler.on([](const enprof::Event& event) {
    if (const auto* token = event.get_if<enprof::events::TokenComplete>()) {
      std::fputs(token->text.c_str(), stdout);
    }
  });

  auto run = profiler.run({.prompt = "a prompt", .model_name = "my-model"});
  run.set_prompt_tokens(3);
  {
    auto section = run.section(enprof::Phase::prefill, "forward");
    work(std::chrono::milliseconds{200});
  }
  for (int step = 0; step < 5; ++step) {
    auto token = run.token(enprof::Phase::decode);
    work(std::chrono::milliseconds{40});
    token.set_text("word " + std::to_string(step) + " ");
  }

  const enprof::ProfiledRun& result = run.finish();
  std::printf("\nrun %s\n", result.run_id.c_str());
  for (const enprof::PhaseFigure& phase : result.phases) {
    const std::string name{enprof::to_string(phase.phase)};
    if (phase.figure.total) {
      std::printf("%-8s %8.1f ms %8.3f J\n", name.c_str(), enprof::to_ms(phase.figure.duration),
                  phase.figure.total->value());
    } else {
      std::printf("%-8s %8.1f ms  energy not measured\n", name.c_str(),
                  enprof::to_ms(phase.figure.duration));
    }
  }
  for (const enprof::Warning& warning : result.warnings) {
    std::printf("warning: %s\n", warning.message.c_str());
  }
  return 0;
}
