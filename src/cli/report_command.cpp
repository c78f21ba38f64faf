#include "cli/report_command.hpp"

#include "cli/console.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/word_list.hpp"
#include "engines/registry/engine_registry.hpp"
#include "experiment/analysis/analysis_json.hpp"
#include "experiment/analysis/analysis_report.hpp"
#include "experiment/analysis/experiment_page.hpp"
#include "experiment/analysis/stored_experiment.hpp"
#include "experiment/analysis/trend_analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

std::vector<std::string> known_analyses() {
  std::vector<std::string> names(analysis_names().begin(), analysis_names().end());
  names.emplace_back(kTrendAnalysis);
  return names;
}

}  // namespace

void ReportCommand::declare(CLI::App& program) {
  app_ =
      program.add_subcommand("report", "Answer questions about an experiment, or write its page");
  CLI::App& app = *app_;
  app.add_option("EXPERIMENT", experiment_, "Its name; enprof bench prints it")
      ->required()
      ->check(not_empty());
  app.add_option("--analysis", analyses_, "Only these")
      ->type_name("NAME,…")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->delimiter(',')
      ->transform(one_of(known_analyses()));
  app.add_option("--predict", unknown_models_,
                 "Models that did not run: what they would draw at the settings of the experiment")
      ->type_name("FILE|NAME,…")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->check(not_empty());
  app.add_flag("--estimates", estimates_,
               "Use energies that are estimates, where no sensor measured any");
  app.add_flag("--json", json_, "Print JSON");
  app.add_option("-o,--output", output_,
                 "Write a page: one HTML file with its charts, which needs nothing else; - is "
                 "standard output")
      ->type_name("FILE")
      ->check(not_empty());
  app.add_flag("--force", force_, "Overwrite an existing file");
  database_option_.declare(app);
  app.footer(
      "Examples:\n"
      "  enprof report weekly                                what it says\n"
      "  enprof report weekly --analysis pareto,context      two of the questions\n"
      "  enprof report weekly --analysis trend               beside the weeks before\n"
      "  enprof report weekly --predict 70b-q4.gguf          a model that is not here to run\n"
      "  enprof report weekly -o weekly.html                 a page to print or to send\n"
      "  enprof report weekly --json | jq .analyses          for programs\n");
}

Result<AnalysisOptions> ReportCommand::options() const {
  AnalysisOptions options;
  for (const std::string& words : unknown_models_) {
    for (const std::string& word : split_list(words)) {
      const auto path = find_model(word, usual_model_places());
      if (!path) {
        return std::unexpected(path.error());
      }
      const auto header = engine_for(*path).read_header(*path);
      if (!header) {
        return std::unexpected(header.error());
      }
      options.unknown_models.push_back((*header)->facts);
    }
  }
  return options;
}

Result<std::vector<Analysis>> ReportCommand::analyze_all(ProfileDatabase& database,
                                                         const ExperimentData& data,
                                                         const AnalysisOptions& options) const {
  const bool asked = std::ranges::find(analyses_, kTrendAnalysis) != analyses_.end();
  std::vector<Analysis> found;
  if (!asked || analyses_.size() > 1) {
    found = analyze(data, analyses_, options);
  }
  if (asked || analyses_.empty()) {
    const auto trend = experiment_trend(database, experiment_, {.estimates = estimates_});
    if (!trend) {
      return std::unexpected(trend.error());
    }
    // An experiment that was made once has no trend; that is no lack, unless it was asked for.
    if (Analysis analysis = analyze_trend(*trend); asked || analysis.has_result()) {
      found.push_back(std::move(analysis));
    }
  }
  return found;
}

Result<void> ReportCommand::report() const {
  if (json_ && !output_.empty()) {
    return fail(ErrorCode::invalid_argument, "--json and -o are two forms of one result",
                "Leave one of them out.");
  }
  if (!output_.empty() && !force_) {
    if (auto free = check_not_there(output_); !free) {
      return free;
    }
  }
  const auto models = options();
  if (!models) {
    return std::unexpected(models.error());
  }
  auto database = database_option_.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  auto runs = runs_to_analyze(*database, experiment_);
  if (!runs) {
    return std::unexpected(runs.error());
  }
  const ExperimentData data =
      experiment_data(experiment_, *std::move(runs), {.estimates = estimates_});
  auto found = analyze_all(*database, data, *models);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (!output_.empty()) {
    return write_output(output_, experiment_page(data, *found));
  }
  return write_output("-", json_ ? indented(experiment_to_json(data, *found)) + "\n"
                                 : analyses_report(data, *found, stdout_terminal()));
}

int ReportCommand::run() {
  if (const auto done = report(); !done) {
    print_error(done.error());
    return done.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
