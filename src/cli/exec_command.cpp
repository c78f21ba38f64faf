#include "cli/exec_command.hpp"

#include "base/command_start.hpp"
#include "base/program_path.hpp"
#include "base/say.hpp"
#include "cli/console.hpp"
#include "cli/interval_lines.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/unsaved_run.hpp"
#include "engines/llama/token_texts.hpp"
#include "engines/llama/told_plan.hpp"
#include "report/capture_section.hpp"
#include "report/format.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"
#include "session/recorded_passes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

// As env(1), nohup(1) and timeout(1) have them.
constexpr int kNotStarted = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

constexpr std::string_view kName = "exec";

bool is_option(std::string_view word) { return word.size() > 1 && word.starts_with('-'); }

Result<TextOfToken> read_vocabulary(const std::filesystem::path& model) {
  auto texts = TokenTexts::open(model);
  if (!texts) {
    return std::unexpected(texts.error());
  }
  return [texts = *std::move(texts)](std::int32_t token) { return texts.text_of(token); };
}

int not_started(const Error& error) {
  print_error(error);
  return error.code == ErrorCode::not_found ? kNotFound : kNotExecutable;
}

int failed(const Error& error) {
  print_error(error);
  if (error.code == ErrorCode::invalid_argument) {
    return exit_usage;
  }
  return kNotStarted;
}

/// Who looks on while a command runs.
class Observers final : public CommandObserver {
 public:
  /// `server` may be null.
  Observers(IntervalLines& lines, CommandServer* server) : lines_(lines), server_(server) {}

  void on_begin(InferencePipelineProfiler& profiler, PowerMonitor* power) override {
    lines_.begin(power);
    if (server_ != nullptr) {
      server_->on_begin(profiler, power);
    }
  }
  void on_start(const std::string& run_id, Instant begin) override {
    if (server_ != nullptr) {
      server_->on_start(run_id, begin);
    }
  }
  void on_end() override {
    if (server_ != nullptr) {
      server_->on_end();
    }
  }

 private:
  IntervalLines& lines_;
  CommandServer* server_;
};

}  // namespace

void ExecCommand::declare(CLI::App& program) {
  program_ = &program;
  app_ = program.add_subcommand(std::string{kName},
                                "Measure a command of any program, as perf stat does");
  app_->footer(
      "The command has its own standard streams and terminal; the report is on standard error.\n"
      "Exit codes: that of the command; 128 + the signal that ended it; 124 after --timeout; 125 "
      "enprof failed; 126 the command may not be executed; 127 it was not found; 2 usage.\n"
      "Examples:\n"
      "  enprof exec -- make -j8                             the energy of a build\n"
      "  enprof exec -r 10 -- ./benchmark --size 100         mean, spread and outliers\n"
      "  enprof exec --interval 1 -- python3 train.py        a line every second\n"
      "  enprof exec --timeout 60 --json run.json -- ./work  for a script\n"
      "  enprof exec --serve 8000 -- llama-server -m m.gguf  then open http://127.0.0.1:8000/\n");
  CLI::App& app = *app_;
  app.add_option("COMMAND", shown_, "The command and its arguments, after --")->expected(1, -1);
  app.add_option("-r,--repeat", times_, "Run it this many times, one after the other")
      ->type_name("N")
      ->transform(whole_number(1, 100'000))
      ->capture_default_str()
      ->group("Command");
  app.add_option("--timeout", timeout_s_, "End it after this time: SIGTERM, then SIGKILL")
      ->type_name("S")
      ->transform(number_above(0.0, 1e8))
      ->group("Command");
  app.add_option("--kill-after", kill_after_s_, "From SIGTERM to SIGKILL")
      ->type_name("S")
      ->transform(number(0.0, 1e8))
      ->capture_default_str()
      ->group("Command");
  app.add_option("--depth", depth_,
                 "How much is told of llama.cpp in it: passes and tokens (minimal); layers and "
                 "components (module); each operation (deep)")
      ->type_name("DEPTH")
      ->transform(one_of({"minimal", "module", "deep"}).description(""))
      ->capture_default_str()
      ->group("Command");
  app.add_flag("--no-probe", no_probe_, "Do not look into it: load nothing into its processes")
      ->group("Command");
  app.add_option("--passes", passes_,
                 "Take the passes of the command's engine from this file (docs/formats.md), and "
                 "share the energy among the requests in them")
      ->type_name("FILE")
      ->check(not_empty())
      ->group("Command");
  app.add_flag("--no-text", no_text_,
               "Do not keep the prompts and answers of requests in llama.cpp inside it")
      ->group("Command");
  power_.declare(app);
  app.add_option("--interval", interval_s_, "Print a line each time this many seconds have passed")
      ->type_name("S")
      ->transform(number(0.01, 1e8))
      ->group("Result");
  app.add_option("--tag", tags_, "Tag the run; may be given more than once")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->type_name("TAG")
      ->check(not_empty())
      ->group("Result");
  app.add_option("--experiment", experiment_, "Experiment that the run belongs to")
      ->type_name("NAME")
      ->check(not_empty())
      ->group("Result");
  app.add_option("--price", economics_.price_usd_per_kwh, "Price of energy, USD/kWh")
      ->type_name("USD")
      ->transform(number(0.0, 1000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--carbon", economics_.carbon_g_per_kwh, "Carbon intensity, g CO2/kWh")
      ->type_name("G")
      ->transform(number(0.0, 100'000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--json", json_,
                 "Write the run, or the statistics of -r, as JSON; - is standard output, without "
                 "the report")
      ->type_name("FILE")
      ->check(not_empty())
      ->group("Result");
  app.add_flag("--no-save", no_save_, "Do not save the run in the database")->group("Result");
  database_.declare(app);
  server_.declare_wish(app);
}

bool ExecCommand::takes_next_word(const std::string& word) const {
  const bool is_long = word.starts_with("--");
  if (word.find('=') != std::string::npos || (!is_long && word.size() > 2)) {
    return false;  // the value is in the word itself: --repeat=5, -r5
  }
  for (CLI::App* app : {app_, program_}) {
    if (const CLI::Option* option = app->get_option_no_throw(word)) {
      return option->get_items_expected_max() > 0;
    }
  }
  return false;  // parsing says that there is no such option
}

void ExecCommand::take_command(std::vector<std::string>& words) {
  const auto skip_options = [&](auto from) {
    while (from != words.end() && is_option(*from) && *from != "--") {
      const bool has_value = takes_next_word(*from);
      ++from;
      if (has_value && from != words.end()) {
        ++from;
      }
    }
    return from;
  };
  const auto ours = skip_options(words.begin());
  if (ours == words.end() || *ours != kName) {
    return;
  }
  descriptors_.emplace();
  auto command = skip_options(ours + 1);
  words_.assign(command != words.end() && *command == "--" ? command + 1 : command, words.end());
  words.erase(command, words.end());
}

Result<void> ExecCommand::check() const {
  if (words_.empty() || words_.front().empty()) {
    return fail(ErrorCode::invalid_argument,
                words_.empty() ? "No command is given"
                               : "The command is empty: its first word names no program",
                "For example: enprof exec -- make -j8. See enprof exec --help.");
  }
  if (server_.are_wanted() && no_save_) {
    return fail(ErrorCode::invalid_argument,
                "--serve shows runs of the database, but --no-save keeps none there",
                "Leave one of them out; --db FILE saves into a database of its own.");
  }
  return power_.check();
}

CommandTask ExecCommand::task(std::string path) const {
  CommandTask task{.words = words_,
                   .path = std::move(path),
                   .tags = tags_,
                   .experiment = experiment_,
                   .limits = {.kill_after = from_ms(1e3 * kill_after_s_)}};
  if (!no_probe_) {
    task.depth = depth_from_string(depth_).value_or(Depth::module);
    task.is_depth_wanted = app_->count("--depth") > 0;
    task.keeps_texts = !no_text_;
  }
  if (timeout_s_) {
    task.limits.timeout = from_ms(1e3 * *timeout_s_);
  }
  if (interval_s_) {
    task.limits.interval = from_ms(1e3 * *interval_s_);
  }
  return task;
}

Result<void> ExecCommand::write_json(const ProfiledRun& run) const {
  RunJson json(std::make_unique<RunInMemory>(run));
  return write_output(json_, json);
}

Result<void> ExecCommand::report_all() const {
  if (json_ != "-") {
    say("\n" + repeats_report(command_line(words_), repeats_, times_, stderr_terminal()));
  }
  return json_.empty() ? Result<void>{}
                       : write_output(json_, repeats_json(words_, repeats_, times_));
}

/// What is said of a run when it has ended.
void ExecCommand::tell(const CommandOutcome& outcome, std::size_t number) const {
  const ProfiledRun& run = *outcome.run;
  const CommandEnd& end = *outcome.end;
  if (end.timed_out) {
    print_note(fmt::format("the command was ended after {:g} s (--timeout)", *timeout_s_));
  }
  if (times_ > 1) {
    print_note(fmt::format("run {} of {}: {}", number, times_, repeat_line(repeat_of(run, 0))));
  } else if (json_ != "-") {
    say("\n" + run_report(run, stderr_terminal()));
    tell_requests(outcome);
    say(fmt::format("\n{:<11}{} of its processes, {:.2f} CPUs busy with them\n", "CPU time",
                    format_duration(end.cpu_time),
                    seconds(end.cpu_time) / seconds(run.totals.figure.duration)));
  }
}

void ExecCommand::tell_requests(const CommandOutcome& outcome) {
  if (!outcome.run->capture) {
    return;
  }
  std::vector<RunSummary> shown;
  for (const ProfiledRun& request : outcome.requests) {
    if (shown.size() < kRequestsShown) {
      shown.push_back(summary_of(request));
    }
  }
  say(capture_section(*outcome.run, shown, outcome.requests.size(), stderr_terminal()));
}

int ExecCommand::perform(CommandSession& session, CommandServer* server, const SignalQueue& signals,
                         const CommandTask& task) {
  int exit_code = exit_done;
  Result<void> written;
  for (std::size_t number = 1; number <= times_ && signals.ending_signal() == 0; ++number) {
    const CommandOutcome outcome = session.perform(task);
    if (server != nullptr) {
      server->on_outcome(outcome);
    }
    if (outcome.run == nullptr) {
      if (outcome.error) {
        exit_code = outcome.was_refused ? not_started(*outcome.error) : failed(*outcome.error);
      }
      break;
    }
    const int code = exit_code_of(*outcome.end);
    exit_code = exit_code == exit_done ? code : exit_code;
    repeats_.push_back(repeat_of(*outcome.run, code));
    if (json_.empty() && !no_save_) {
      keep_unsaved_run(*outcome.run);
    }
    tell(outcome, number);
    if (times_ == 1 && !json_.empty()) {
      written = write_json(*outcome.run);
    }
  }
  if (repeats_.empty() && signals.ending_signal() != 0) {
    print_note("cancelled before the command was started: there is nothing to save");
    return 128 + signals.ending_signal();
  }
  if (times_ > 1 && !repeats_.empty()) {
    written = report_all();
  }
  if (!written) {
    print_error(written.error());
    return exit_code == exit_done ? kNotStarted : exit_code;
  }
  return exit_code;
}

int ExecCommand::run() {
  if (const auto right = check(); !right) {
    return failed(right.error());
  }
  if (const auto ready = server_.prepare(); !ready) {
    return failed(ready.error());
  }
  // Errors in the request are found before anything slow begins.
  auto path = find_command(words_.front());
  if (!path) {
    return not_started(path.error());
  }
  const std::array<std::pair<std::string_view, const std::string*>, 2> by_products{
      {{times_ > 1 ? "\"command\"" : "\"run_id\"", &json_}, {"\"domain\"", &power_.recording()}}};
  for (const auto& [mark, file] : by_products) {
    if (const auto writable = file->empty() ? Result<void>{} : check_by_product(*file, mark);
        !writable) {
      print_error(writable.error());
      return kNotStarted;
    }
  }
  CommandTask wanted = task(*std::move(path));
  if (!passes_.empty()) {
    auto passes = read_recorded_passes(passes_);
    if (!passes) {
      print_error(passes.error());
      return kNotStarted;
    }
    wanted.passes = std::make_shared<const CaptureRecording>(*std::move(passes));
  }
  SignalQueue signals;
  if (const auto ready = signals.start(); !ready) {
    return failed(ready.error());
  }
  ServerHealth health;
  SessionPower::Options measuring = power_.session(false);
  measuring.on_attempt = [&health](const std::optional<Error>& error) {
    health.report("power", error);
  };
  SessionPower power(std::move(measuring));
  if (const auto opened = power.open(); !opened) {
    return failed(opened.error());
  }
  std::optional<ProfileDatabase> database;
  if (!no_save_) {
    auto opened = database_.open_to_save();
    if (!opened) {
      print_error(opened.error());
      return kNotStarted;
    }
    database = std::move(*opened);
  }
  LiveRequests requests;
  std::unique_ptr<CommandServer> server;
  if (server_.are_wanted()) {
    auto opened = CommandServer::open(
        server_, {.store = *database, .health = health, .power = power, .requests = requests});
    if (!opened) {
      return failed(opened.error());
    }
    server = *std::move(opened);
    server_.print_addresses(server->port());
  }
  IntervalLines lines(requests);
  Observers observers(lines, server.get());
  const PowerEnvironment places = power_environment();
  CommandSession session(
      {.store = database ? &*database : nullptr,
       .power = &power,
       .signals = &signals,
       .descriptors = descriptors_ ? &*descriptors_ : nullptr,
       .profiler = {.economics = economics_,
                    .power_interval = power_.interval(),
                    .procfs_root = places.procfs_root,
                    .sysfs_root = places.sysfs_root,
                    .on_trouble =
                        [](const Warning& warning) {
                          print_note(warning.message +
                                     (warning.hint.empty() ? "" : "\n  " + warning.hint));
                        }},
       .probe = probe_library().value_or(std::filesystem::path{}),
       .plan = plan_told_graph,
       .read_vocabulary = read_vocabulary,
       .live = interval_s_ || server ? &requests : nullptr,
       .observer = &observers});
  wanted.limits.on_interval = [&lines](Nanoseconds since) { print_note(lines.line(since)); };
  return perform(session, server.get(), signals, wanted);
}

}  // namespace enprof
