#include "cli/bench_points.hpp"

#include "base/printable.hpp"
#include "cli/option_values.hpp"
#include "cli/word_list.hpp"
#include "experiment/plan_file.hpp"
#include "experiment/run_labels.hpp"
#include "profile/run_id.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace enprof {
namespace {

std::vector<std::string> split_models(const std::vector<std::string>& words) {
  std::vector<std::string> models;
  for (const std::string& word : words) {
    for (std::string& model : split_list(word)) {
      if (std::ranges::find(models, model) == models.end()) {
        models.push_back(std::move(model));
      }
    }
  }
  return models;
}

/// Two that begin in the same second have different names.
std::string new_name() {
  return fmt::format(
      "bench-{:%Y%m%d-%H%M%S}-{}",
      fmt::gmtime(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())),
      make_run_id().substr(0, 4));
}

/// "-t": how messages name an axis.
std::string short_flag(const Axis& axis) {
  const std::string_view first = axis.flags.substr(0, axis.flags.find(','));
  const bool is_llama_style = first.starts_with("--") && first.size() <= 5;  // --ub is -ub
  return std::string{is_llama_style ? first.substr(1) : first};
}

}  // namespace

void BenchPoints::declare(CLI::App& app) {
  app.add_option("plan", plan_, "A plan: a TOML file, instead of options that name points")
      ->type_name("PLAN.toml")
      ->check(not_empty());
  declare_axes(app);
  declare_repeats(app);
  declare_quality(app);
}

void BenchPoints::declare_axes(CLI::App& app) {
  const auto list = [&](const std::string& flags, std::vector<std::string>& words,
                        const std::string& help, const char* type, const char* group) {
    point_options_.push_back(app.add_option(flags, words, help)
                                 ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                                 ->allow_extra_args(false)
                                 ->type_name(type)
                                 ->check(not_empty())
                                 ->group(group));
  };
  list("-m,--model", models_, "Models: files, or parts of their names, separated by commas",
       "FILE|NAME,…", "Points");
  axis_words_.resize(axes().size());
  for (std::size_t index = 0; index < axes().size(); ++index) {
    const Axis& axis = axes()[index];
    list(std::string{axis.flags}, axis_words_[index],
         fmt::format("{} [{}]", axis.help, axis.text_of(axis.usual)),
         axis.words.empty() ? "N,…" : "WORD,…", axis.is_limit ? "Limits of the machine" : "Points");
    if (axis.key == "output_tokens") {
      list(
          "--pg", pairs_,
          "Prompt and output tokens that belong together, such as 512,128 (-pg); may be given more "
          "than once",
          "P,N", "Points");
    }
  }
}

void BenchPoints::declare_repeats(CLI::App& app) {
  repeats_option_ = app.add_option("-r,--repeats", repeats_,
                                   "Runs of each point; with --precision at most so many")
                        ->type_name("N")
                        ->transform(whole_number(1, 10'000))
                        ->capture_default_str()
                        ->group("Repeats");
  app.add_option("--precision", precision_pct_,
                 "Measure a point until half the 95 % interval of its energy per output token, "
                 "without the sensor's scale, is at most this share of it; at least five times")
      ->type_name("PCT")
      ->transform(percentage(100.0))
      ->group("Repeats");
  app.add_option("--budget", budget_s_, "Begin no run after so many seconds")
      ->type_name("S")
      ->transform(number_above(0.0, 1e7))
      ->group("Repeats");
  seed_option_ = app.add_option("--seed", seed_, "Seed of the order and of the prompts")
                     ->type_name("N")
                     ->transform(whole_number(0, std::numeric_limits<std::uint32_t>::max()))
                     ->capture_default_str()
                     ->group("Repeats");
}

void BenchPoints::declare_quality(CLI::App& app) {
  CLI::Option* const text =
      app.add_option("--quality", quality_text_,
                     "Also judge the models' answers, by their perplexity on this text, and by how "
                     "far their next tokens are from those of a reference model (KL divergence)")
          ->type_name("FILE")
          ->check(not_empty())
          ->group("Quality");
  app.add_option("--quality-reference", quality_reference_, "That model [the largest]")
      ->type_name("FILE|NAME")
      ->check(not_empty())
      ->needs(text)
      ->group("Quality");
  app.add_option("--quality-chunks", quality_chunks_,
                 "Chunks of 512 tokens of the text, at most [16]")
      ->type_name("N")
      ->transform(whole_number(2, 100'000))
      ->needs(text)
      ->group("Quality");
}

Result<void> BenchPoints::refuse_options(const std::string& reason, const std::string& hint) const {
  for (const CLI::Option* option : point_options_) {
    if (option->count() > 0) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} cannot be given here: {}", option->get_name(), reason), hint);
    }
  }
  return {};
}

/// "512,128": each pair is a block of its own, with the other settings of `block`.
Result<std::vector<PointBlock>> BenchPoints::pairs_of(const PointBlock& block) const {
  std::vector<PointBlock> blocks;
  for (const std::string& word : pairs_) {
    const std::size_t comma = word.find(',');
    const auto part = [&](std::string_view text, std::string_view key) {
      return parse_numbers(text, find_axis(key)->least, find_axis(key)->most);
    };
    const auto prompt = part(word.substr(0, comma), "prompt_tokens");
    const auto output =
        part(comma == std::string::npos ? "" : word.substr(comma + 1), "output_tokens");
    if (!prompt || !output || prompt->size() != 1 || output->size() != 1) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("-pg: \"{}\" is not a pair of prompt and output tokens", printable(word)),
          "For example: -pg 512,128");
    }
    PointBlock& pair = blocks.emplace_back(block);
    pair.prompt_tokens = *prompt;
    pair.output_tokens = *output;
  }
  return blocks;
}

Result<ExperimentDesign> BenchPoints::design_of_options() const {
  ExperimentDesign design;
  PointBlock block{.models = split_models(models_)};
  if (block.models.empty()) {
    return fail(ErrorCode::invalid_argument, "No model is named: -m is missing",
                "For example: enprof bench -m a-q8.gguf,a-q4.gguf");
  }
  bool has_tokens = false;
  for (std::size_t index = 0; index < axes().size(); ++index) {
    const Axis& axis = axes()[index];
    if (axis_words_[index].empty()) {
      continue;
    }
    auto values = axis.parse(fmt::format("{}", fmt::join(axis_words_[index], ",")));
    if (!values) {
      values.error().message = fmt::format("{}: {}", short_flag(axis), values.error().message);
      return std::unexpected(values.error());
    }
    block.*axis.values = *std::move(values);
    has_tokens = has_tokens || axis.key == "prompt_tokens" || axis.key == "output_tokens";
  }
  auto pairs = pairs_of(block);
  if (!pairs) {
    return std::unexpected(pairs.error());
  }
  if (has_tokens || pairs->empty()) {
    design.blocks.push_back(std::move(block));
  }
  std::ranges::move(*pairs, std::back_inserter(design.blocks));
  return design;
}

/// What options say is stronger than what a plan says.
void BenchPoints::apply(BenchRequest& request) const {
  if (repeats_option_->count() > 0) {
    request.design.repeats = repeats_;
  }
  if (precision_pct_) {
    request.design.precision = *precision_pct_ / 100.0;
  }
  if (seed_option_->count() > 0) {
    request.design.seed = seed_;
  }
  if (budget_s_) {
    request.budget_s = budget_s_;
  }
  if (!quality_text_.empty()) {
    request.design.quality = QualityRequest{.text = quality_text_, .reference = quality_reference_};
    if (quality_chunks_) {
      request.design.quality->chunks = *quality_chunks_;
    }
  }
}

Result<BenchRequest> BenchPoints::request(const std::string& name) const {
  BenchRequest request;
  if (plan_.empty()) {
    auto design = design_of_options();
    if (!design) {
      return std::unexpected(design.error());
    }
    request.design = *std::move(design);
    request.design.repeats = repeats_;
  } else {
    if (auto refused = refuse_options("the plan names the points", "Write it into the plan.");
        !refused) {
      return std::unexpected(refused.error());
    }
    auto plan = read_plan(plan_);
    if (!plan) {
      return std::unexpected(plan.error());
    }
    request = {.design = std::move(plan->design),
               .tags = std::move(plan->tags),
               .budget_s = plan->budget_s,
               .price_usd_per_kwh = plan->price_usd_per_kwh};
  }
  apply(request);
  if (!name.empty()) {
    request.design.name = name;
  } else if (request.design.name.empty()) {
    request.design.name = new_name();
  }
  if (auto checked = check_points(request.design); !checked) {
    return std::unexpected(checked.error());
  }
  return request;
}

Result<BenchRequest> BenchPoints::request_of(const std::string& name,
                                             const std::vector<ProfiledRun>& runs) const {
  const std::string reason = fmt::format("--resume goes on with the points of {}", printable(name));
  if (auto refused =
          refuse_options(reason, "Leave it out. -r, --precision and --budget may be other ones.");
      !refused) {
    return std::unexpected(refused.error());
  }
  if (!plan_.empty() || seed_option_->count() > 0) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} cannot be given here: {}", plan_.empty() ? "--seed" : "A plan", reason),
        "Leave it out. -r, --precision and --budget may be other ones.");
  }
  for (const ProfiledRun& run : runs) {
    if (const auto text = tag_value(run.tags, kDesignTag)) {
      auto design = design_from_json(*text);
      if (!design) {
        return std::unexpected(design.error());
      }
      BenchRequest request{.design = *std::move(design)};
      request.design.name = name;
      apply(request);
      return request;
    }
  }
  return fail(ErrorCode::unsupported,
              fmt::format("The runs of {} do not say how the experiment goes on: enprof bench did "
                          "not make them, or those of its first round were deleted",
                          printable(name)),
              "Begin a new one, under another name.");
}

}  // namespace enprof
