#include "engines/process/process_engine.hpp"

#include "engines/process/engine_messages.hpp"
#include "engines/process/engine_process.hpp"
#include "profile/run_forwarder.hpp"
#include "profile/save/json_columns.hpp"
#include "profile/save/run_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace enprof {
namespace {

/// How often records are taken over. A wake-up costs up to 40 µs where all CPUs compute.
constexpr Nanoseconds kTurn = std::chrono::milliseconds{50};

/// Answers the engine's requests for files, and passes on how far loading is.
EngineProcess::Listener loading(EngineProcess& process, const OpenAs& open_as,
                                const std::function<void(double)>& progress) {
  return {.on_message = [&process, &open_as, &progress](const JsonNode& message) {
    if (const JsonNode path = message.at("open"); path.is_there()) {
      process.send_file(path, open_as);
    } else if (const JsonNode share = message.at("progress"); share.is_there() && progress) {
      progress(share.number(0.0, 1.0));
    }
  }};
}

ModelFacts facts_of(const MessageJson& answer) {
  ProfiledRun run;
  facts_from_json(JsonNode(answer, "the model's facts").at("loaded"), {}, run);
  return std::move(run.model);
}

}  // namespace

/// Counts the CPU time of the processes that run and of those that have ended.
class ProcessEngines::Account {
 public:
  void add(const EngineProcess& process) {
    const std::lock_guard lock(mutex_);
    running_.push_back({.process = &process});
  }
  void remove(const EngineProcess& process) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(running_, &process, &Running::process);
    if (found != running_.end()) {
      ended_ += std::max(found->used, process.cpu_time());
      running_.erase(found);
    }
  }
  [[nodiscard]] Nanoseconds cpu_time() {
    const std::lock_guard lock(mutex_);
    Nanoseconds sum = ended_;
    for (Running& entry : running_) {
      // A process that has ended is not known any more.
      entry.used = std::max(entry.used, entry.process->cpu_time());
      sum += entry.used;
    }
    return sum;
  }

 private:
  struct Running {
    const EngineProcess* process;
    Nanoseconds used{0};
  };
  std::mutex mutex_;
  std::vector<Running> running_;
  Nanoseconds ended_{0};
};

class ProcessEngines::Model final : public LoadedModel {
 public:
  Model(std::unique_ptr<EngineProcess> process, ModelFacts facts, std::shared_ptr<Account> account)
      : process_(std::move(process)), facts_(std::move(facts)), account_(std::move(account)) {}
  ~Model() override { account_->remove(*process_); }

  [[nodiscard]] const ModelFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] bool is_usable() const noexcept override { return process_->is_running(); }
  [[nodiscard]] std::size_t most_output_tokens(
      const GenerateOptions& options) const noexcept override {
    return ask_for("most", options).value_or(0);
  }
  [[nodiscard]] int threads(int chosen) const noexcept override {
    GenerateOptions options;
    options.threads = chosen;
    return static_cast<int>(ask_for("threads", options).value_or(0));
  }
  [[nodiscard]] Result<GenerateResult> generate(RunScope& run,
                                                const GenerateOptions& options) override;

 private:
  /// Lets the engine's thread read these counters between two operations, if another process can.
  void share(const BorderReader& reader);
  /// What the engine says of these options; empty if its process has ended.
  [[nodiscard]] std::optional<std::size_t> ask_for(const char* what,
                                                   const GenerateOptions& options) const noexcept;

  std::unique_ptr<EngineProcess> process_;
  ModelFacts facts_;
  std::shared_ptr<Account> account_;
};

std::optional<std::size_t> ProcessEngines::Model::ask_for(
    const char* what, const GenerateOptions& options) const noexcept {
  try {
    const auto answer = process_->ask({{"do", "ask"}, {"options", options_to_json(options)}}, -1,
                                      what, {}, EngineProcess::Listener{});
    if (answer) {
      return JsonNode(*answer, "an answer").at(what).whole<std::size_t>();
    }
  } catch (const std::exception&) {
    return std::nullopt;  // generate() says what is wrong with the process
  }
  return std::nullopt;
}

void ProcessEngines::Model::share(const BorderReader& reader) {
  if (!reader.memory() || reader.points().empty() || reader.points().front() == nullptr ||
      !reader.points().front()->descriptor()) {
    return;  // the source's own thread reads, less often
  }
  for (const auto& point : reader.points()) {
    const auto descriptor = point ? point->descriptor() : std::nullopt;
    process_->tell({{"do", "point"}, {"text", !descriptor || descriptor->is_text}},
                   descriptor ? descriptor->number : -1);
  }
  process_->tell({{"do", "border"}}, reader.memory()->descriptor());
}

Result<GenerateResult> ProcessEngines::Model::generate(RunScope& run,
                                                       const GenerateOptions& options) {
  const SharedRecords::Capacity capacity = RunIntake::capacity_for(run);
  auto memory = SharedMemory::make("enprof-records", SharedRecords::bytes_for(capacity));
  if (!memory) {
    return std::unexpected(std::move(memory.error()));
  }
  SharedRecords records(memory->bytes(), capacity);
  RunIntake intake(run, records);

  for (const auto& reader : RunIntake::border_readers(run)) {
    share(*reader);
  }
  std::size_t warnings = 0;  // taken over
  const auto take_facts = [&](const JsonNode& json) {
    ProfiledRun theirs;
    facts_from_json(json, {}, theirs);
    run.set_model(std::move(theirs.model));
    run.set_prompt_tokens(theirs.totals.prompt_tokens);
    run.set_response(std::move(theirs.response));
    run.set_finish_reason(std::move(theirs.finish_reason));
    for (; warnings < theirs.warnings.size(); ++warnings) {
      run.warn(theirs.warnings[warnings]);
    }
  };
  bool is_heard = static_cast<bool>(options.on_token);
  const auto on_token = [&](std::size_t token, std::string_view text) {
    if (is_heard) {
      try {
        options.on_token(token, text);
      } catch (...) {  // as GenerateOptions says
        is_heard = false;
      }
    }
  };
  const EngineProcess::Listener listener{
      .on_message =
          [&](const JsonNode& message) {
            if (const JsonNode plan = message.at("plan"); plan.is_there()) {
              static_cast<void>(run.add_plan(plan_from_json(plan, {})));
            } else if (const JsonNode facts = message.at("facts"); facts.is_there()) {
              take_facts(facts);
            } else if (const JsonNode values = message.at("values"); values.is_there()) {
              run.add_values(values_from_json(values, {}));
            }
          },
      .on_turn = [&] { intake.follow(on_token); },
      .period = kTurn};
  const auto answer = process_->ask({{"do", "generate"},
                                     {"capacity", capacity_to_json(capacity)},
                                     {"depth", static_cast<int>(run.depth())},
                                     {"run_id", run.id()},
                                     {"options", options_to_json(options)}},
                                    memory->descriptor(), "generated", options.stop, listener);
  intake.follow(on_token, true);
  if (intake.lost() > 0) {
    run.warn({"engine", "dropped_spans",
              fmt::format("{} records of the engine's process are missing: it recorded faster than "
                          "they were taken over",
                          intake.lost()),
              "Was this program stopped meanwhile, or the machine overloaded?"});
  }
  if (!answer) {
    return std::unexpected(answer.error());
  }
  try {
    return result_from_json(JsonNode(*answer, "the engine's answer").at("generated"));
  } catch (const std::exception& error) {
    return fail(ErrorCode::malformed,
                fmt::format("The engine's answer cannot be read: {}", error.what()));
  }
}

class ProcessEngines::StandIn final : public Engine {
 public:
  StandIn(std::vector<std::string> command, const Engine& engine, std::shared_ptr<Account> account)
      : command_(std::move(command)), engine_(engine), account_(std::move(account)) {}

  [[nodiscard]] const Engine& original() const noexcept { return engine_; }
  [[nodiscard]] std::string_view name() const noexcept override { return engine_.name(); }
  [[nodiscard]] std::string_view suffix() const noexcept override { return engine_.suffix(); }
  [[nodiscard]] bool is_model_name(std::string_view file_name) const override {
    return engine_.is_model_name(file_name);
  }
  [[nodiscard]] std::span<const EngineSetting> settings() const noexcept override {
    return engine_.settings();
  }
  [[nodiscard]] Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& path) const override;
  [[nodiscard]] Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override;

 private:
  std::vector<std::string> command_;
  const Engine& engine_;
  std::shared_ptr<Account> account_;
};

Result<std::unique_ptr<ModelHeader>> ProcessEngines::StandIn::read_header(
    const std::filesystem::path& path) const {
  auto process = EngineProcess::start(command_);
  if (!process) {
    return std::unexpected(std::move(process.error()));
  }
  const OpenAs as_it_is;
  const auto answer = (*process)->ask(
      {{"do", "header"}, {"engine", engine_.name()}, {"path", bytes_to_json(path.string())}},
      (*process)->note(), "header", {}, loading(**process, as_it_is, nullptr));
  if (!answer) {
    return std::unexpected(answer.error());
  }
  auto header = std::make_unique<ModelHeader>();
  header->trained_context =
      JsonNode(*answer, "the model's header").at("header").optional([](const JsonNode& node) {
        return node.whole<std::int64_t>();
      });
  return header;
}

Result<std::unique_ptr<LoadedModel>> ProcessEngines::StandIn::load(LoadRequest request) const {
  auto started = EngineProcess::start(command_);
  if (!started) {
    return std::unexpected(std::move(started.error()));
  }
  std::unique_ptr<EngineProcess> process = *std::move(started);
  account_->add(*process);
  const auto answer = process->ask({{"do", "load"},
                                    {"engine", engine_.name()},
                                    {"path", bytes_to_json(request.path.string())},
                                    {"threads", request.threads},
                                    {"settings", settings_to_json(request.settings)}},
                                   process->note(), "loaded", request.stop,
                                   loading(*process, request.open_as, request.progress));
  if (!answer) {
    account_->remove(*process);
    Error error = answer.error();
    if (error.code == ErrorCode::process_exited) {
      error.message = fmt::format("{} cannot be loaded. {}", request.path.string(), error.message);
    }
    return std::unexpected(std::move(error));
  }
  try {
    ModelFacts facts = facts_of(*answer);
    return std::make_unique<Model>(std::move(process), std::move(facts), account_);
  } catch (const std::exception& error) {
    return fail(ErrorCode::malformed, fmt::format("The facts of {} cannot be read: {}",
                                                  request.path.string(), error.what()));
  }
}

ProcessEngines::ProcessEngines(std::vector<std::string> command,
                               std::span<const Engine* const> engines)
    : account_(std::make_shared<Account>()) {
  for (const Engine* engine : engines) {
    stand_ins_.push_back(std::make_unique<StandIn>(command, *engine, account_));
  }
}

ProcessEngines::~ProcessEngines() = default;

const Engine& ProcessEngines::stand_in_for(const Engine& engine) const {
  const auto found = std::ranges::find_if(
      stand_ins_, [&](const auto& stand_in) { return &stand_in->original() == &engine; });
  if (found == stand_ins_.end()) {
    throw std::logic_error("an engine that is not in the list");
  }
  return **found;
}

Nanoseconds ProcessEngines::cpu_time() const { return account_->cpu_time(); }

}  // namespace enprof
