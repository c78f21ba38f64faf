#include "engines/process/engine_host.hpp"

#include "base/json_members.hpp"
#include "base/last_words.hpp"
#include "base/log.hpp"
#include "base/message_socket.hpp"
#include "base/parsed_json.hpp"
#include "base/shared_memory.hpp"
#include "base/start_thread.hpp"
#include "engines/process/engine_messages.hpp"
#include "power/counter/border_reader.hpp"
#include "power/counter/descriptor_point.hpp"
#include "profile/run_forwarder.hpp"
#include "profile/save/json_columns.hpp"
#include "profile/save/run_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"engine"};
constexpr Nanoseconds kForever = std::chrono::hours{24};
constexpr double kLeastProgress = 0.01;

struct Request {
  MessageJson json;
  OwnedDescriptor descriptor;
};

/// Receives on a thread of its own, so that a request to stop is followed at once.
class Requests {
 public:
  explicit Requests(MessageSocket& socket) : socket_(socket) {}

  /// For the thread. Ends the program with the connection: the one who asked is gone.
  [[noreturn]] void receive() {
    for (;;) {
      auto message = socket_.receive(kForever);
      if (!message) {
        _exit(0);
      }
      if (!*message) {
        continue;
      }
      Request request{.json = parse_json((*message)->text).json,
                      .descriptor = std::move((*message)->descriptor)};
      if (word_or_empty(request.json, "do") == "stop") {
        const std::lock_guard lock(mutex_);
        stop_.request_stop();
        continue;
      }
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(request));
      arrived_.notify_one();
    }
  }
  /// The next request.
  [[nodiscard]] Request next() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !waiting_.empty(); });
    Request request = std::move(waiting_.front());
    waiting_.pop_front();
    return request;
  }
  /// A request begins that may be stopped.
  [[nodiscard]] std::stop_token begin() {
    const std::lock_guard lock(mutex_);
    stop_ = std::stop_source{};
    return stop_.get_token();
  }

 private:
  MessageSocket& socket_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Request> waiting_;
  std::stop_source stop_;
};

/// Sends what a run is given, besides its records.
class SocketForwarder final : public RunForwarder {
 public:
  SocketForwarder(MessageSocket& socket, SharedMemory memory,
                  const SharedRecords::Capacity& capacity,
                  std::vector<std::shared_ptr<BorderReader>> borders)
      : socket_(socket),
        borders_(std::move(borders)),
        memory_(std::move(memory)),
        capacity_(capacity),
        records_(memory_.bytes(), capacity) {}

  SharedRecords& records() noexcept override { return records_; }
  const SharedRecords::Capacity& capacity() const noexcept override { return capacity_; }
  std::vector<std::shared_ptr<BorderReader>> border_readers() override { return borders_; }
  void add_plan(std::uint32_t /*index*/, const OperationPlan& plan) override {
    send({{"plan", plan_to_json(plan)}});
  }
  void set_facts(const ProfiledRun& run) override { send({{"facts", facts_to_json(run)}}); }
  void add_values(const SampledValues& values) override {
    send({{"values", values_to_json(values)}});
  }

 private:
  void send(const MessageJson& message) {
    // A failure means that the other process is gone: the receiving thread ends this one.
    static_cast<void>(socket_.send(message_text(message)));
  }

  MessageSocket& socket_;
  std::vector<std::shared_ptr<BorderReader>> borders_;
  SharedMemory memory_;
  SharedRecords::Capacity capacity_;
  SharedRecords records_;
};

class EngineHost {
 public:
  EngineHost(MessageSocket& socket, Requests& requests, std::span<const Engine* const> engines)
      : socket_(socket), requests_(requests), engines_(engines) {}

  [[noreturn]] void serve() {
    for (;;) {
      Request request = requests_.next();
      try {
        answer(request);
      } catch (const std::exception& error) {
        send_error({ErrorCode::internal, fmt::format("A request failed: {}", error.what()), ""});
      }
    }
  }

 private:
  void send(const MessageJson& message) { static_cast<void>(socket_.send(message_text(message))); }
  void send_error(const Error& error) { send({{"error", error_to_json(error)}}); }

  void answer(Request& request) {
    const JsonNode node(request.json, "a request");
    const std::string what = node.at("do").text();
    if (what == "load" || what == "header") {
      note_ = std::move(request.descriptor);
      path_ = bytes_from_json(node.at("path"));
    }
    const CrashContext context(path_, "", note_.get());
    if (what == "load") {
      load(node);
    } else if (what == "header") {
      read_header(node);
    } else if (what == "ask") {
      const GenerateOptions options = options_from_json(node.at("options"));
      send({{"most", model().most_output_tokens(options)},
            {"threads", model().threads(options.threads)}});
    } else if (what == "point") {
      points_.push_back(std::make_shared<DescriptorPoint>(CounterPoint::Descriptor{
          .number = request.descriptor.release(), .is_text = node.at("text").flag()}));
    } else if (what == "border") {
      add_border(request.descriptor.release());
    } else if (what == "generate") {
      generate(node, std::move(request.descriptor));
    } else {
      send_error({ErrorCode::unsupported, fmt::format("There is no request {}", what), ""});
    }
  }

  [[nodiscard]] const Engine& engine_of(const JsonNode& node) const {
    const std::string name = node.at("engine").text();
    const auto found = std::ranges::find(engines_, name, &Engine::name);
    if (found == engines_.end()) {
      node.at("engine").is_not("an engine of this program");
    }
    return **found;
  }
  [[nodiscard]] LoadedModel& model() const {
    if (!model_) {
      throw std::logic_error("no model is loaded");
    }
    return *model_;
  }

  /// The path by which this process can open a file of the other one.
  [[nodiscard]] std::filesystem::path open_as(const std::filesystem::path& path) {
    send({{"open", bytes_to_json(path.string())}});
    Request reply = requests_.next();
    if (reply.descriptor.get() < 0) {
      return bytes_from_json(JsonNode(reply.json, "an answer").at("path"));
    }
    files_.push_back(std::move(reply.descriptor));
#if defined(__linux__)
    return fmt::format("/proc/self/fd/{}", files_.back().get());
#else
    return fmt::format("/dev/fd/{}", files_.back().get());
#endif
  }

  void load(const JsonNode& node) {
    double sent = -kLeastProgress;
    auto loaded = engine_of(node).load(
        {.path = path_,
         .threads = node.at("threads").whole<int>(),
         .settings = settings_from_json(node.at("settings")),
         .header = {},
         .open_as = [this](const std::filesystem::path& path) { return open_as(path); },
         .progress =
             [&](double share) {
               if (share >= sent + kLeastProgress || share >= 1.0) {
                 sent = share;
                 send({{"progress", std::clamp(share, 0.0, 1.0)}});
               }
             },
         .stop = requests_.begin()});
    files_.clear();
    if (!loaded) {
      send_error(loaded.error());
      return;
    }
    model_ = *std::move(loaded);
    ProfiledRun facts;
    facts.model = model_->facts();
    send({{"loaded", facts_to_json(facts)}});
  }

  void read_header(const JsonNode& node) {
    const auto header = engine_of(node).read_header(path_);
    if (!header) {
      send_error(header.error());
      return;
    }
    const auto& trained = (*header)->trained_context;
    send({{"header", trained ? MessageJson(*trained) : MessageJson(nullptr)}});
  }

  void add_border(int descriptor) {
    auto points = std::exchange(points_, {});
    auto memory = SharedMemory::map(descriptor, BorderReader::memory_bytes());
    if (memory) {
      borders_.push_back(
          std::make_shared<BorderReader>(std::move(points), monotonic_clock(), *std::move(memory)));
    } else {
      kLog.warning("No counter is read between operations: {}", memory.error().message);
    }
  }

  void generate(const JsonNode& node, OwnedDescriptor descriptor) {
    GenerateOptions options = options_from_json(node.at("options"));
    options.stop = requests_.begin();
    const SharedRecords::Capacity capacity = capacity_from_json(node.at("capacity"));
    auto memory = SharedMemory::map(descriptor.release(), SharedRecords::bytes_for(capacity));
    if (!memory) {
      send_error(memory.error());
      return;
    }
    SocketForwarder forwarder(socket_, *std::move(memory), capacity, std::exchange(borders_, {}));
    InferencePipelineProfiler profiler(nullptr, nullptr, {.procfs_root = {}});
    RunScope run =
        RunForwarder::run(profiler,
                          {.run_id = node.at("run_id").text(),
                           .prompt = {},
                           .model_name = {},
                           .depth = enum_from_number<Depth>(node.at("depth").whole<int>()),
                           .max_output_tokens = capacity.spans.tokens},
                          forwarder);
    const auto generated = model().generate(run, options);
    run.abandon();  // the other process keeps it
    if (!generated) {
      send_error(generated.error());
      return;
    }
    send({{"generated", result_to_json(*generated)}});
  }

  MessageSocket& socket_;
  Requests& requests_;
  std::span<const Engine* const> engines_;
  OwnedDescriptor note_;
  std::string path_;  // of the model, for messages
  std::vector<OwnedDescriptor> files_;
  std::vector<std::shared_ptr<const CounterPoint>> points_;  // of the next border
  std::vector<std::shared_ptr<BorderReader>> borders_;       // of the next generation
  std::unique_ptr<LoadedModel> model_;
};

/// Memory that runs out is taken from this process first: one run fails, and the other goes on.
void offer_memory_first() {
#if defined(__linux__)
  constexpr std::string_view kScore = "800";
  const OwnedDescriptor file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file.get() < 0 ||
      ::write(file.get(), kScore.data(), kScore.size()) != static_cast<ssize_t>(kScore.size())) {
    kLog.debug("oom_score_adj cannot be written: the kernel chooses whom to end");
  }
#endif
}

}  // namespace

int serve_engine(int descriptor, std::span<const Engine* const> engines) {
  MessageSocket socket(descriptor);
  Requests requests(socket);
  offer_memory_first();
  auto receiving = start_thread("The thread that receives requests", [&] { requests.receive(); });
  if (!receiving) {
    kLog.error("{}", receiving.error().message);
    return 1;
  }
  receiving->detach();
  EngineHost(socket, requests, engines).serve();
}

}  // namespace enprof
