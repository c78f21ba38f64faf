#include "cli/model_command.hpp"

#include "base/format_bytes.hpp"
#include "base/printable.hpp"
#include "cli/console.hpp"
#include "cli/interrupt.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/shared_options.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>

namespace enprof {

void ModelCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("model", "Create models");
  app_->require_subcommand(1);
  CLI::App& synth = *app_->add_subcommand(
      "synth",
      "Write a GGUF model of a given shape, with dummy weights and a real tokenizer: its text "
      "is meaningless, its energy is not");
  synth.add_option("-o,--output", output_, "File to write")
      ->required()
      ->type_name("FILE")
      ->check(not_empty());
  synth.add_option("--arch", options_.architecture, "Architecture")
      ->type_name("NAME")
      ->transform(one_of(synth_architectures()))
      ->capture_default_str();
  const auto size = [&](const char* flag, int& value, SynthRange range, const char* help) {
    synth.add_option(flag, value, help)
        ->type_name("N")
        ->transform(whole_number(range.least, range.most))
        ->capture_default_str();
  };
  size("--layers", options_.layers, kSynthLayers, "Layers");
  size("--embd", options_.embd, kSynthEmbd, "Width of the residual stream, a multiple of --heads");
  size("--ff", options_.ff, kSynthFf,
       "Width of the feed-forward layer; of one expert if there are any");
  size("--heads", options_.heads, kSynthHeads, "Attention heads, a multiple of --kv-heads");
  size("--kv-heads", options_.kv_heads, {0, kSynthHeads.most},
       "Key/value heads; 0: as many as heads");
  size("--ctx", options_.context, kSynthContext,
       "Context length that it claims to be trained with");
  size("--experts", options_.experts, kSynthExperts, "Experts; 0: what the architecture needs");
  size("--experts-used", options_.experts_used, kSynthExperts, "Experts used per token; 0: two");
  synth.add_option("--type", options_.type, "Type of the weights")
      ->type_name("TYPE")
      ->transform(one_of(synth_types()))
      ->capture_default_str();
  synth.add_option("--seed", options_.seed, "Seed of the weights")
      ->type_name("N")
      ->transform(
          whole_number(0, std::numeric_limits<std::int64_t>::max()).description("0 or more"))
      ->capture_default_str();
  synth.add_option("--name", options_.name, "Name in the file; empty: made from the shape")
      ->type_name("NAME");
  synth
      .add_option("--vocab", vocabulary_,
                  "Vocabulary: llama-spm, llama-bpe, gpt-2, …, or a GGUF file; empty: the "
                  "architecture's own")
      ->type_name("NAME|FILE");
  synth.add_flag("--force", options_.overwrite, "Overwrite an existing file");
  synth.footer(
      "Examples:\n"
      "  enprof model synth -o m.gguf                                    a billion parameters or "
      "so\n"
      "  enprof model synth -o m.gguf --layers 8 --embd 512 --ff 2048    a small model\n"
      "  enprof model synth -o m.gguf --arch qwen3 --type q4_k_m         another architecture\n");
  app_->footer(
      "Example:\n"
      "  enprof model synth -o m.gguf && enprof run m.gguf \"Once upon a time\"\n");
}

Result<std::filesystem::path> ModelCommand::vocabulary() const {
  if (vocabulary_.find('/') != std::string::npos || vocabulary_.ends_with(".gguf")) {
    return std::filesystem::path{vocabulary_};
  }
  const auto directory = vocabulary_directory();
  if (!directory) {
    return std::unexpected(directory.error());
  }
  return *directory / (vocabulary_.empty() ? default_vocabulary(options_.architecture)
                                           : fmt::format("ggml-vocab-{}.gguf", vocabulary_));
}

int ModelCommand::run() {
  const auto file = vocabulary();
  if (!file) {
    print_error(file.error());
    return exit_failed;
  }
  const Interrupt interrupt;
  StatusLine status;
  SynthOptions options = options_;
  options.output = output_;
  options.vocabulary = *file;
  options.stop = interrupt.token();
  options.progress = [&](float share) {
    status.show_progress("Writing " + options.output.filename().string(),
                         static_cast<double>(share));
  };
  const auto made = synthesize_model(options);
  status.clear();
  if (interrupt.requested()) {
    print_note("cancelled; nothing was written");
    return interrupt.exit_code();
  }
  if (!made) {
    print_error(made.error());
    return made.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  const auto written =
      write_output("-", fmt::format("{}: {}, {} parameters, {}\n", printable(made->path.string()),
                                    printable(made->name), format_count(made->parameters),
                                    format_bytes(made->bytes)));
  if (!written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
