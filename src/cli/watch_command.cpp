#include "cli/watch_command.hpp"

#include "base/json_members.hpp"
#include "base/json_text.hpp"
#include "cli/console.hpp"
#include "cli/event_line.hpp"
#include "cli/live_screen.hpp"
#include "cli/option_values.hpp"
#include "cli/shared_options.hpp"
#include "server/server_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <limits>
#include <poll.h>
#include <random>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// As GET /api/health of a server that ends with its command has it.
constexpr const char* kCommandProgram = "enprof exec";
constexpr milliseconds kDrawPeriod{100};
/// A run is complete if no event follows its end for this long. Its settled energies come
/// immediately after the end.
constexpr milliseconds kAfterwards{1500};

constexpr const char* kFooter =
    "On a terminal it redraws one view of the latest run; in a pipe it prints a line per event:\n"
    "  SEQ RUN T_MS TYPE KEY=VALUE…\n"
    "If the connection is lost it reconnects, and continues after the last event. With the server "
    "of `enprof exec --serve` it ends. ~ marks estimates.\n"
    "Exit code: 0 ended by Ctrl-C, SIGTERM or a closed pipe, or the run of --run or the command "
    "has ended; 1 no connection, or that run failed; 2 usage.\n"
    "Examples:\n"
    "  enprof watch                                  a server on this machine\n"
    "  enprof watch http://gpu-box:8000 --token T    another server\n"
    "  enprof watch --run last                       one run, until it has ended\n"
    "  enprof watch --json | jq 'select(.type == \"token_complete\").data.text'\n";

/// A reader that closes the pipe has seen enough: this is not an error.
Result<void> cannot_write() {
  const int number = errno;
  if (number == EPIPE) {
    return {};
  }
  return std::unexpected(cannot_print(number));
}

bool is_interrupted(const Error& error) { return error.code == ErrorCode::cancelled; }

}  // namespace

/// The destination of events.
class WatchCommand::Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  virtual ~Output() = default;

  /// Shows the state of the connection.
  virtual void show_state(const std::string& state) = 0;
  virtual void apply(const Json& event) = 0;
  /// Called after each frame, and after a while without one. False if output is no longer possible.
  [[nodiscard]] virtual bool flush() = 0;
};

/// Redraws a view of the run on the terminal's alternate screen.
class WatchCommand::ScreenOutput final : public Output {
 public:
  explicit ScreenOutput(const LiveRun& run) : run_(run) {
    static_cast<void>(print("\x1b[?1049h\x1b[?25l"));  // flush() notices a lost terminal
  }
  ~ScreenOutput() override {
    static_cast<void>(print("\x1b[?25h\x1b[?1049l"));
    try {
      leave_last_view();
    } catch (const std::exception&) {
      static_cast<void>(print("Out of memory: the last view cannot be shown\n"));
    }
  }

  void show_state(const std::string& state) override {
    state_ = state;
    next_draw_ = {};
  }
  void apply(const Json&) override {}
  bool flush() override {
    const auto now = SteadyClock::now();
    if (now < next_draw_) {
      return true;
    }
    next_draw_ = now + kDrawPeriod;
    std::string text = "\x1b[H";
    const auto drawn = lines();
    for (std::size_t index = 0; index < drawn.size(); ++index) {
      text += (index == 0 ? "" : "\r\n") + drawn[index] + "\x1b[K";
    }
    return print(text + "\x1b[J");
  }

 private:
  /// Leaves the last view on the normal screen.
  void leave_last_view() const {
    if (run_.run_id().empty()) {
      return;
    }
    std::string text;
    for (const std::string& line : lines()) {
      text += line + "\n";
    }
    static_cast<void>(print(text));
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    const TerminalSize size = stdout_size();
    // The last column stays free: some terminals wrap a line that ends there.
    return live_screen(
        run_, fmt::format("enprof · {}", state_),
        {.colour = stdout_terminal().colour, .width = std::max<std::size_t>(2, size.columns) - 1},
        size.rows);
  }

  const LiveRun& run_;
  std::string state_;
  SteadyClock::time_point next_draw_;
};

/// Prints a line per event; the state of the connection goes to stderr.
class WatchCommand::LineOutput final : public Output {
 public:
  explicit LineOutput(bool json) : json_(json) {}

  void show_state(const std::string& state) override { print_note(state); }
  void apply(const Json& event) override {
    lines_ += json_ ? on_one_line(event) : event_line(event);
    lines_ += '\n';
  }
  bool flush() override {
    if (!lines_.empty()) {
      return print(std::exchange(lines_, {}));
    }
    // Notice a closed pipe even while there are no events.
    pollfd out{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
    if (poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0) {
      errno = EPIPE;
      return false;
    }
    return true;
  }

 private:
  bool json_;
  std::string lines_;
};

void WatchCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "watch", "Watch a running `enprof serve` or `enprof exec --serve` from a terminal");
  CLI::App& app = *app_;
  app.footer(kFooter);
  app.add_option("URL", url_text_,
                 "The server: http://HOST:PORT, as `enprof serve` or `exec --serve` prints it")
      ->type_name("URL")
      ->capture_default_str();
  app.add_option("--token", token_,
                 "The server's token; may be part of the URL as ?token=TOKEN "
                 "[$ENPROF_TOKEN]")
      ->type_name("TOKEN")
      ->check(not_empty());
  app.add_option("--run", run_name_,
                 "Only this run, from its beginning to its end: its id, a unique prefix of it, "
                 "or 'last' (the running one, else the newest)")
      ->type_name("RUN")
      ->check(not_empty());
  app.add_option("--since", since_,
                 "Begin after event SEQ; 0: with the oldest event that the server still has. "
                 "Default: 0 for "
                 "a view; new events only for lines")
      ->type_name("SEQ")
      ->transform(whole_number(0, std::numeric_limits<std::int64_t>::max()).description(""));
  app.add_flag("--json", json_, "Print the events as they come, one JSON object per line");
  app.add_flag("--wait", wait_, "Retry until a server can be reached");
}

std::string WatchCommand::subscription() const {
  Json wanted = Json::object();
  if (!run_id_.empty()) {
    wanted["runs"] = {run_id_};
  }
  if (on_screen_) {  // sums by operation are expensive for the server, and a view has no room for
                     // them
    wanted["types"] = {"model_loading",  "run_started",  "section_start",      "section_end",
                       "token_complete", "power_sample", "inference_complete", "energy_settled",
                       "warning",        "error"};
    if (is_of_a_command_) {
      wanted["types"].push_back("request_metrics");
    }
  }
  return wanted.empty() ? std::string{} : Json{{"subscribe", wanted}}.dump();
}

/// A server of another version may not say it, and then is taken for `enprof serve`.
Result<void> WatchCommand::find_program(const Interrupt& interrupt) {
  const auto health = LiveClient::get(options_, "/api/health", interrupt.token());
  if (!health) {
    return std::unexpected(health.error());
  }
  is_of_a_command_ =
      word_or_empty(Json::parse(*health, nullptr, false), "program") == kCommandProgram;
  options_.subscription = subscription();
  return {};
}

/// Resolves "last" only once: a restarted server may be at another run.
Result<void> WatchCommand::find_run(LiveRun& run, const Interrupt& interrupt) {
  const auto answer = LiveClient::get(
      options_,
      "/api/profiling/resolve?run=" + as_query_value(run_id_.empty() ? run_name_ : run_id_),
      interrupt.token());
  if (!answer) {
    return std::unexpected(answer.error());
  }
  const Json found = Json::parse(*answer, nullptr, false);
  run_id_ = word_or_empty(found, "run_id");
  if (run_id_.empty()) {
    return fail(ErrorCode::malformed,
                fmt::format("{} does not report which run {} is", options_.url.text(), run_name_),
                "It may be another version of enprof: use the same version on both sides.");
  }
  run.select_run(run_id_);
  options_.subscription = subscription();
  const std::string status = word_or_empty(found, "status");
  was_over_ = status != "queued" && status != "running";
  return {};
}

Result<std::unique_ptr<LiveClient>> WatchCommand::connect(LiveRun& run,
                                                          const Interrupt& interrupt) {
  const auto status = LiveClient::get(options_, "/api/power/status", interrupt.token());
  if (!status) {
    return std::unexpected(status.error());
  }
  run.apply_power_status(Json::parse(*status, nullptr, false));
  if (const auto found = find_program(interrupt); !found) {
    return std::unexpected(found.error());
  }
  if (!run_name_.empty()) {
    if (const auto found = find_run(run, interrupt); !found) {
      return std::unexpected(found.error());
    }
  }
  auto client = LiveClient::connect(options_, interrupt.token());
  if (client && !options_.since) {  // for a break before the first event
    options_.since = (*client)->last_event();
  }
  return client;
}

bool WatchCommand::forward_events(LiveClient& client, LiveRun& run, Output& output,
                                  const Interrupt& interrupt, Error& lost) {
  auto received = SteadyClock::now();
  while (!interrupt.requested()) {
    const auto frame = client.next(kDrawPeriod);
    if (!frame) {
      lost = frame.error();
      return is_interrupted(lost);
    }
    if (*frame) {
      const Json events = Json::parse(**frame, nullptr, false);
      if (!events.is_array()) {
        lost = {ErrorCode::malformed,
                fmt::format(
                    "{} is not an enprof server: it sent something that is not a list of events",
                    options_.url.text()),
                "Pass the URL that `enprof serve` printed."};
        return false;
      }
      for (const Json& event : events) {
        // Other events may come before the server has read the subscription.
        if (run.apply(event)) {
          output.apply(event);
          received = SteadyClock::now();
        }
      }
      options_.since = run.last_event() ? run.last_event() : options_.since;
    }
    if (!output.flush()) {
      const auto written = cannot_write();
      lost = written ? Error{} : written.error();
      return written.has_value();
    }
    if (!run_id_.empty() && (was_over_ || run.is_over()) &&
        SteadyClock::now() - received > kAfterwards) {
      return true;
    }
  }
  return true;
}

bool WatchCommand::has_ended(const LiveRun& run) const {
  return is_of_a_command_ && !run.run_id().empty() && run.is_over();
}

Result<void> WatchCommand::watch(LiveRun& run, Output& output, const Interrupt& interrupt) {
  std::mt19937 random{std::random_device{}()};
  std::uniform_real_distribution<double> chance{0.0, 1.0};
  bool had_one = false;
  for (int failures = 0; !interrupt.requested();) {
    if (!has_ended(run)) {
      output.show_state(had_one ? "connecting again" : "connecting");
    }
    Error error;
    auto client = connect(run, interrupt);
    if (client) {
      had_one = true;
      failures = 0;
      output.show_state("connected to " + options_.url.text());
      if (forward_events(**client, run, output, interrupt, error)) {
        return {};
      }
      if (has_ended(run) && LiveClient::is_passing(error.code)) {
        continue;  // the server has ended too, unless another command is measured
      }
    } else {
      error = client.error();
    }
    if (is_interrupted(error) ||
        (has_ended(run) && !client && LiveClient::is_passing(error.code))) {
      return {};
    }
    if (!LiveClient::is_passing(error.code) || (!had_one && !wait_)) {
      return std::unexpected(std::move(error));
    }
    const auto delay = reconnect_delay(++failures, chance(random));
    const std::string again =
        fmt::format("trying again in {:.1f} s", std::chrono::duration<double>(delay).count());
    output.show_state(fmt::format("{}; {}", error.message, again));
    const auto until = SteadyClock::now() + delay;
    while (!interrupt.requested() && SteadyClock::now() < until) {
      if (!output.flush()) {
        return cannot_write();
      }
      std::this_thread::sleep_for(std::min<SteadyClock::duration>(
          kDrawPeriod, std::max(until - SteadyClock::now(), SteadyClock::duration{})));
    }
  }
  return {};
}

int WatchCommand::run() {
  auto url = parse_server_url(url_text_);
  if (!url) {
    print_error(url.error());
    return exit_usage;
  }
  options_.url = std::move(*url);
  if (!token_.empty()) {
    options_.token = token_;
  } else if (!options_.url.token.empty()) {
    options_.token = options_.url.token;
  } else {
    options_.token = environment_variable("ENPROF_TOKEN").value_or("");
  }
  on_screen_ = !json_ && stdout_can_redraw();
  options_.since = since_ ? since_ : on_screen_ || !run_name_.empty() ? std::optional{0UL} : since_;
  options_.subscription = subscription();

  const Interrupt interrupt;
  LiveRun run;
  std::unique_ptr<Output> output;
  if (on_screen_) {
    output = std::make_unique<ScreenOutput>(run);
  } else {
    output = std::make_unique<LineOutput>(json_);
  }
  const auto watched = watch(run, *output, interrupt);
  output.reset();  // restores the terminal before anything else is printed
  if (!watched) {
    print_error(watched.error());
    return exit_failed;
  }
  if (run_name_.empty() || interrupt.requested()) {
    return exit_done;
  }
  if (run.run_id().empty()) {
    print_error(
        {ErrorCode::not_found,
         fmt::format("The server has no events of run {}: the run is too old, or another program "
                     "made it",
                     run_id_),
         fmt::format("Its report: {}/api/profiling/run/{}", options_.url.text(), run_id_)});
    return exit_failed;
  }
  return run.status() == "failed" ? exit_failed : exit_done;
}

}  // namespace enprof
