#include "cli/compare_command.hpp"

#include "base/counted.hpp"
#include "base/printable.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/run_file.hpp"
#include "cli/stored_run.hpp"
#include "cli/word_list.hpp"
#include "experiment/analysis/stored_experiment.hpp"
#include "experiment/measure.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace enprof {
namespace {

/// Whether a word that is no file's name was meant to be one.
bool looks_like_file(const std::string& word) {
  return word.ends_with(".json") || word.find('/') != std::string::npos;
}

std::string listed_points(const std::vector<PointRuns>& points) {
  std::vector<std::string> names;
  names.reserve(points.size());
  for (const PointRuns& point : points) {
    names.push_back(printable(point.point));
  }
  return fmt::format("{}", fmt::join(names, "; "));
}

RunSet set_of(std::string name, std::vector<ProfiledRun> runs, bool is_from_files) {
  return {.name = std::move(name), .runs = std::move(runs), .is_from_files = is_from_files};
}

}  // namespace

void CompareCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "compare", "Compare two runs, sets of repeated runs or experiments, with 95 % intervals");
  CLI::App& app = *app_;
  const std::string help =
      "A run (id, prefix, last), a file of an exported run, several of these separated by commas, "
      "or an experiment";
  app.add_option("A", a_, help)->required()->check(not_empty());
  app.add_option("B", b_, "The same; changes are those from A to B")
      ->required()
      ->check(not_empty());
  app.add_option("--experiment", experiment_,
                 "A and B are points of this experiment: a part of the model's name, settings such "
                 "as t2 or p512, or several of these with commas")
      ->type_name("NAME")
      ->check(not_empty());
  app.add_option("--fail-above", fail_above_,
                 "Exit with 4 if B is worse by more than this, with its whole interval, and with 5 "
                 "if the data does not allow a verdict")
      ->type_name("PCT")
      ->transform(percentage(1000.0));
  measure_ = kOutputTokenMeasure;
  app.add_option("--measure", measure_, "What --fail-above judges")
      ->type_name("NAME")
      ->transform(one_of(judged_measures()))
      ->capture_default_str();
  app.add_flag("--same-machine", same_machine_,
               "All runs were made on one machine, although they do not say so");
  app.add_flag("--markdown", markdown_, "Print Markdown, as GitHub shows it");
  app.add_flag("--json", json_, "Print JSON");
  database_option_.declare(app);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage; with --fail-above also 4 worse, 5 no verdict.\n"
      "Examples:\n"
      "  enprof compare 915eafb8 last                          two runs\n"
      "  enprof compare --experiment weekly q8 q4              two points of an experiment\n"
      "  enprof compare main branch --fail-above 2%            two experiments, for CI\n"
      "  enprof compare old.json new.json --markdown           two exported runs\n");
}

Result<ProfileDatabase*> CompareCommand::database() {
  if (!database_) {
    auto opened = database_option_.open_to_read();
    if (!opened) {
      return std::unexpected(opened.error());
    }
    database_ = *std::move(opened);
  }
  return &*database_;
}

Result<ProfiledRun> CompareCommand::stored(const std::string& run_id) {
  const auto store = database();
  if (!store) {
    return std::unexpected(store.error());
  }
  auto run = (*store)->get_run(run_id, kFiguresOnly);
  if (!run) {
    return std::unexpected(run.error());
  }
  if (!*run) {
    return fail(ErrorCode::not_found, fmt::format("Run {} was deleted", run_id));
  }
  return **std::move(run);
}

Result<std::vector<PointRuns>> CompareCommand::experiment(const std::string& name) {
  const auto store = database();
  if (!store) {
    return std::unexpected(store.error());
  }
  auto runs = runs_of_experiment(**store, name);
  if (!runs) {
    return std::unexpected(runs.error());
  }
  return by_point(*std::move(runs));
}

Result<CompareCommand::Named> CompareCommand::find_point(const std::string& selector) {
  auto points = experiment(experiment_);
  if (!points) {
    return std::unexpected(points.error());
  }
  if (points->empty()) {
    return std::unexpected(unknown_experiment(*database_, experiment_));
  }
  std::vector<PointRuns> meant;
  std::ranges::copy_if(*points, std::back_inserter(meant),
                       [&](const PointRuns& point) { return is_meant(point.point, selector); });
  if (meant.size() != 1) {
    const bool is_none = meant.empty();
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} names {} of experiment {}", printable(selector),
                    is_none ? "no point" : counted(meant.size(), "point"), printable(experiment_)),
        fmt::format("{}: {}", is_none ? "It has" : "Name one of these more exactly",
                    listed_points(is_none ? *points : meant)));
  }
  return Named{.word = selector, .points = std::move(meant)};
}

Result<CompareCommand::Named> CompareCommand::find_runs(const std::string& word) {
  Named named{.word = word, .points = {{.point = word}}};
  std::vector<ProfiledRun>& runs = named.points.front().runs;
  const bool is_one = is_file(word);
  for (const std::string& part : split_list(word)) {
    auto run = [&]() -> Result<ProfiledRun> {
      if (is_file(part) || looks_like_file(part)) {
        named.is_from_files = true;
        return read_run_file(part, " > run.json");
      }
      const auto store = database();
      if (!store) {
        return std::unexpected(store.error());
      }
      const auto id = (*store)->resolve(part);
      return id ? stored(*id) : std::unexpected(id.error());
    }();
    if (!run) {
      return std::unexpected(run.error());
    }
    runs.push_back(*std::move(run));
  }
  if (runs.empty()) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} names no run", printable(word)));
  }
  if (runs.size() == 1) {
    const ProfiledRun& run = runs.front();
    named.points.front().point =
        fmt::format("{} · {}", is_one ? word : run.run_id.substr(0, 8), run.model.name);
  }
  return named;
}

Result<CompareCommand::Named> CompareCommand::find(const std::string& word) {
  if (!experiment_.empty()) {
    return find_point(word);
  }
  // An experiment's whole name comes before a prefix of a run's id.
  if (!is_file(word) && !looks_like_file(word) && word.find(',') == std::string::npos &&
      word != "last") {
    auto points = experiment(word);
    if (!points) {
      return std::unexpected(points.error());
    }
    if (!points->empty()) {
      return Named{.word = word, .points = *std::move(points), .is_experiment = true};
    }
  }
  return find_runs(word);
}

Result<CompareCommand::Pairs> CompareCommand::pair_up(Named a, Named b) {
  Pairs pairs;
  const auto name_of = [](const Named& named, const PointRuns& point) {
    return named.is_experiment ? fmt::format("{}: {}", named.word, point.point) : point.point;
  };
  const auto add = [&](PointRuns& before, PointRuns& after) {
    pairs.emplace_back(set_of(name_of(a, before), std::move(before.runs), a.is_from_files),
                       set_of(name_of(b, after), std::move(after.runs), b.is_from_files));
  };
  if (a.points.size() == 1 && b.points.size() == 1) {
    add(a.points.front(), b.points.front());
    return pairs;
  }
  for (PointRuns& before : a.points) {
    const auto after = std::ranges::find(b.points, before.point, &PointRuns::point);
    if (after != b.points.end()) {
      add(before, *after);
    }
  }
  if (pairs.empty()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} and {} have no point in common", printable(a.word), printable(b.word)),
        fmt::format("The points of {}: {}. Those of {}: {}. To compare two points of one "
                    "experiment: enprof compare --experiment NAME A B",
                    printable(a.word), listed_points(a.points), printable(b.word),
                    listed_points(b.points)));
  }
  const std::size_t alone = a.points.size() + b.points.size() - 2 * pairs.size();
  if (alone > 0) {
    print_note(fmt::format("{} of only one of the two experiments: not compared",
                           counted(alone, "point")));
  }
  return pairs;
}

Result<std::vector<RuledComparison>> CompareCommand::compare() {
  auto a = find(a_);
  if (!a) {
    return std::unexpected(a.error());
  }
  auto b = find(b_);
  if (!b) {
    return std::unexpected(b.error());
  }
  auto pairs = pair_up(*std::move(a), *std::move(b));
  if (!pairs) {
    return std::unexpected(pairs.error());
  }
  // Of many comparisons one would be worse by chance: together they are as sure as a single one
  // (Bonferroni).
  const CompareOptions options{
      .confidence = 1.0 - (1.0 - kUsualConfidence) / static_cast<double>(pairs->size()),
      .same_machine = same_machine_};
  std::vector<RuledComparison> result;
  for (const auto& [before, after] : *pairs) {
    RuledComparison& ruled =
        result.emplace_back(RuledComparison{.comparison = compare_sets(before, after, options)});
    if (fail_above_) {
      ruled.ruling = rule_on(ruled.comparison, *find_measure(measure_), *fail_above_ / 100.0);
    }
  }
  return result;
}

int CompareCommand::run() {
  if (markdown_ && json_) {
    print_error({ErrorCode::invalid_argument, "--markdown and --json are two forms of one result",
                 "Leave one of them out."});
    return exit_usage;
  }
  const auto compared = compare();
  if (!compared) {
    print_error(compared.error());
    return compared.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  const std::string text = json_       ? comparison_json(*compared)
                           : markdown_ ? comparison_markdown(*compared)
                                       : comparison_report(*compared, stdout_terminal());
  if (const auto written = write_output("-", text); !written) {
    print_error(written.error());
    return exit_failed;
  }
  const auto has = [&](Judgement judgement) {
    return std::ranges::any_of(*compared, [&](const RuledComparison& each) {
      return each.ruling && each.ruling->judgement == judgement;
    });
  };
  return has(Judgement::worse)       ? exit_worse
         : has(Judgement::undecided) ? exit_undecided
                                     : exit_done;
}

}  // namespace enprof
