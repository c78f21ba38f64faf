#include "bench/sim/serving.hpp"

#include "attribution/pass_sharing.hpp"
#include "bench/sim/power_writer.hpp"
#include "bench/sim/random.hpp"
#include "model/operation_work.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

namespace enprof::sim {
namespace {

using Kind = OperationKind;
using Batch = std::vector<BatchSequence>;

constexpr double kHalfBytes = 2.0;
constexpr std::int64_t kCachePadding = 256;  // positions, as the engine's graphs have them
constexpr std::int32_t kMostPositions = 8192;

TensorShape tensor(std::int64_t a, std::int64_t b = 1, std::int64_t c = 1, double bytes = 4.0) {
  return {{a, b, c, 1}, bytes};
}

double pairs_of(const BatchSequence& sequence) {
  const double first = sequence.first_position;
  const double count = sequence.tokens;
  return count * first + count * (count + 1.0) / 2.0;
}
double keys_of(const BatchSequence& sequence) {
  return static_cast<double>(sequence.first_position) + sequence.tokens;
}

/// An operation of a pass.
struct Work {
  std::string component;
  std::string op;
  bool is_in_layers = true;  // once for each layer, else once
  OperationCost cost;
  OperationInfo info;          // as the engine would tell it
  std::vector<double> shares;  // by sequence: its part, in truth
};

/// The operations of a decoder for a batch.
class Graph {
 public:
  Graph(const ModelShape& model, const Machine& machine, const Batch& batch)
      : model_(model), machine_(machine), batch_(batch) {
    for (const BatchSequence& sequence : batch) {
      tokens_ += sequence.tokens;
      outputs_ += sequence.outputs;
      most_keys_ = std::max(most_keys_, static_cast<std::int64_t>(keys_of(sequence)));
    }
  }

  std::vector<Work> works() {
    const std::int64_t n = tokens_;
    const std::int64_t width = model_.width;
    const std::int64_t head = width / model_.heads;
    const std::int64_t kv_width = head * model_.kv_heads;
    const std::int64_t ff = model_.ff_width;
    rows_ = n;
    norm("input_layernorm");
    matmul("q_proj", width, width);
    matmul("k_proj", width, kv_width);
    matmul("v_proj", width, kv_width);
    add("rope", "ROPE", Kind::rope, tensor(head, model_.heads, n),
        {tensor(head, model_.heads, n), tensor(n)});
    add("kv_cache_store", "SET_ROWS", Kind::set_rows, tensor(kv_width, 4096, 1, kHalfBytes),
        {tensor(kv_width, n), tensor(n, 1, 1, 8.0)});
    const double heads = model_.heads;
    const double read = static_cast<double>(kv_width) * kHalfBytes;
    attention("qk_matmul", "MUL_MAT", 2.0 * static_cast<double>(width), 4.0 * heads, read);
    attention("softmax", "SOFT_MAX", 6.0 * heads, 8.0 * heads, 0.0);
    attention("value_matmul", "MUL_MAT", 2.0 * static_cast<double>(width), 4.0 * heads, read);
    matmul("o_proj", width, width);
    norm("post_attention_layernorm");
    matmul("gate_proj", width, ff);
    matmul("up_proj", width, ff);
    add("activation", "SWIGLU", Kind::swiglu, tensor(ff, n), {tensor(ff, n), tensor(ff, n)});
    matmul("down_proj", ff, width);
    if (outputs_ > 0) {
      rows_ = outputs_;
      is_head_ = true;
      matmul("lm_head", width, model_.vocabulary);
    }
    return std::move(works_);
  }

 private:
  void push(std::string component, std::string op, const OperationCost& cost, OperationInfo info,
            std::vector<double> shares) {
    info.component = component;
    info.op = op;
    info.layer = is_head_ ? OperationInfo::kNoLayer : 0;
    works_.push_back({.component = std::move(component),
                      .op = std::move(op),
                      .is_in_layers = !is_head_,
                      .cost = cost,
                      .info = std::move(info),
                      .shares = std::move(shares)});
  }
  void add(const std::string& component, const std::string& op, Kind kind,
           const TensorShape& result, const std::vector<TensorShape>& inputs) {
    const OperationWork work =
        operation_work({.kind = kind, .result = result, .inputs = inputs, .rotated = {}});
    OperationInfo info;
    info.shape = {result.extents[0], result.extents[1], result.extents[2], 1};
    info.flops = work.flops;
    info.bytes = work.bytes;
    std::vector<double> shares;
    const auto all = static_cast<double>(is_head_ ? outputs_ : tokens_);
    for (const BatchSequence& sequence : batch_) {
      shares.push_back((is_head_ ? sequence.outputs : sequence.tokens) / all);
    }
    push(component, op,
         {.flops_s = *work.flops / machine_.peak_flops,
          .bytes_s = *work.bytes / machine_.peak_bytes},
         std::move(info), std::move(shares));
  }
  void matmul(const std::string& component, std::int64_t in, std::int64_t out) {
    add(component, "MUL_MAT", Kind::matmul, tensor(out, rows_),
        {tensor(in, out, 1, model_.weight_bytes), tensor(in, rows_)});
  }
  void norm(const std::string& component) {
    add(component, "RMS_NORM", Kind::rms_norm, tensor(model_.width, rows_),
        {tensor(model_.width, rows_), tensor(model_.width)});
  }
  /// Each sequence's part takes the longer of its own arithmetic and traffic.
  void attention(const std::string& component, const std::string& op, double flops_per_pair,
                 double bytes_per_pair, double bytes_per_key) {
    OperationCost sum;
    std::vector<double> shares;
    double all = 0.0;
    for (const BatchSequence& sequence : batch_) {
      const OperationCost own{
          .flops_s = flops_per_pair * pairs_of(sequence) / machine_.peak_flops,
          .bytes_s = (bytes_per_pair * pairs_of(sequence) + bytes_per_key * keys_of(sequence)) /
                     machine_.peak_bytes};
      sum.flops_s += own.flops_s;
      sum.bytes_s += own.bytes_s;
      shares.push_back(std::max(own.flops_s, own.bytes_s));
      all += shares.back();
    }
    for (double& share : shares) {
      share /= all;
    }
    // The engine's graph has all positions in use, in steps.
    OperationInfo info;
    const std::int64_t columns = (most_keys_ + kCachePadding - 1) / kCachePadding * kCachePadding;
    info.shape = {component == "value_matmul" ? model_.width / model_.heads : columns, tokens_,
                  model_.heads, 1};
    const double dense = static_cast<double>(columns) * static_cast<double>(tokens_);
    info.flops = flops_per_pair * dense;
    info.bytes = bytes_per_pair * dense + bytes_per_key * static_cast<double>(columns);
    push(component, op, sum, std::move(info), std::move(shares));
  }

  const ModelShape& model_;
  const Machine& machine_;
  const Batch& batch_;
  std::int64_t tokens_ = 0;
  std::int64_t outputs_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t most_keys_ = 0;
  bool is_head_ = false;
  std::vector<Work> works_;
};

/// A pass as it was, for the truth when the trace is there.
struct PassTruth {
  Instant begin;
  Instant start;
  std::vector<Instant> ends;  // of its operations
  Instant end;
  std::vector<std::vector<double>> shares;  // by work
  std::vector<std::size_t> work_of;         // by operation
  std::vector<double> by_tokens;            // by sequence
  std::vector<double> shapley;              // by sequence, as shares of the pass
  std::vector<std::size_t> requests;        // by sequence
};
/// The choice of a token after a pass.
struct SamplingTruth {
  Instant begin;
  Instant end;
  std::size_t request;
};

class Server {
 public:
  explicit Server(const ServingOptions& options)
      : options_(options),
        random_(options.seed),
        power_(machine_, options_.disturbance, random_),
        slots_(static_cast<std::size_t>(options.slots)) {}

  Served run() {
    power_.spend(options_.idle_around, machine_.idle_w);
    served_.recording.begin = power_.now();
    load();
    draw_arrivals();
    while (!arrivals_.empty() || is_busy()) {
      admit();
      if (is_busy()) {
        pass();
      } else {
        wait();
      }
    }
    idle(from_ms(200.0));
    served_.recording.end = power_.now();
    power_.spend(options_.idle_around, machine_.idle_w);
    served_.trace = power_.take();
    find_truth();
    return std::move(served_);
  }

 private:
  struct Arrival {
    Instant at;
    std::uint32_t prompt;
    std::uint32_t output;
  };
  struct Slot {
    std::int32_t next = 0;     // position
    std::uint32_t prompt = 0;  // tokens that are not computed yet
    std::uint32_t output = 0;  // tokens that are not made yet
    std::size_t request = kNobody;
    [[nodiscard]] bool is_busy() const { return prompt > 0 || output > 0; }
  };
  static constexpr std::size_t kNobody = ~std::size_t{0};

  void load() {
    CapturedModel model;
    model.begin = power_.now();
    power_.spend(from_ms(80.0), machine_.idle_w + machine_.active_w / 2.0);
    model.loaded = power_.now();
    model.facts = facts();
    served_.recording.models = {std::move(model)};
    served_.recording.contexts = {{.model = 0, .positions = kMostPositions}};
  }
  [[nodiscard]] ModelFacts facts() const {
    const ModelShape& shape = model_;
    const double width = shape.width;
    const double kv_width = width / shape.heads * shape.kv_heads;
    const double layer =
        2.0 * width * width + 2.0 * width * kv_width + 3.0 * width * shape.ff_width;
    const double parameters = shape.layers * layer + width * shape.vocabulary;
    ModelFacts facts;
    facts.name = shape.name;
    facts.parameters = static_cast<std::uint64_t>(parameters);
    facts.weight_bytes = static_cast<std::uint64_t>(parameters * shape.weight_bytes);
    facts.layers = shape.layers;
    facts.embedding_width = shape.width;
    facts.heads = shape.heads;
    facts.kv_heads = shape.kv_heads;
    facts.vocabulary = shape.vocabulary;
    return facts;
  }

  void draw_arrivals() {
    Instant at = power_.now();
    for (int index = 0; index < options_.requests; ++index) {
      at += from_ms(1e3 * random_.exponential(options_.mean_pause_s));
      const auto count = [&](int mean) {
        return static_cast<std::uint32_t>(std::clamp(random_.exponential(mean), 4.0, 6.0 * mean));
      };
      arrivals_.push_back(
          {.at = at, .prompt = count(options_.mean_prompt), .output = count(options_.mean_output)});
    }
  }
  [[nodiscard]] bool is_busy() const {
    return std::ranges::any_of(slots_, [](const Slot& slot) { return slot.is_busy(); });
  }
  void admit() {
    for (Slot& slot : slots_) {
      if (arrivals_.empty() || arrivals_.front().at > power_.now()) {
        return;
      }
      if (!slot.is_busy()) {
        const Arrival arrival = arrivals_.front();
        arrivals_.pop_front();
        const bool fits = slot.next + static_cast<std::int32_t>(arrival.prompt + arrival.output) <
                          kMostPositions / 2;
        slot.next = fits && random_.chance(options_.cached) ? slot.next : 0;
        slot.prompt = arrival.prompt;
        slot.output = arrival.output;
        slot.request = kNobody;
      }
    }
  }
  void idle(Nanoseconds time) {
    const Instant begin = power_.now();
    power_.spend(time, machine_.idle_w);
    idle_.emplace_back(begin, power_.now());
  }
  void wait() { idle(std::max(arrivals_.front().at - power_.now(), from_ms(1.0))); }

  /// Tokens of all busy slots: those that generate first, then prompts as far as they fit.
  Batch batch() {
    Batch batch;
    auto room = static_cast<std::uint32_t>(options_.most_tokens);
    for (const bool is_prompt : {false, true}) {
      for (std::size_t index = 0; index < slots_.size(); ++index) {
        Slot& slot = slots_[index];
        if (!slot.is_busy() || (slot.prompt > 0) != is_prompt || room == 0) {
          continue;
        }
        const std::uint32_t tokens = is_prompt ? std::min(slot.prompt, room) : 1;
        room -= tokens;
        batch.push_back({.id = static_cast<std::int32_t>(index),
                         .first_position = slot.next,
                         .tokens = tokens,
                         .outputs = tokens == slot.prompt || !is_prompt ? 1U : 0U});
      }
    }
    return batch;
  }

  double class_factor(bool is_prefill, const Work& work) {
    const auto [found, is_new] =
        factors_.try_emplace(std::tuple{is_prefill, work.component, work.op}, 1.0);
    if (is_new) {
      found->second = random_.factor(options_.disturbance.class_spread);
    }
    return found->second;
  }
  Nanoseconds jitter(double time_s) {
    return from_ms(1e3 * time_s * random_.factor(options_.disturbance.time_noise));
  }
  void one_core(double time_ms) {
    power_.spend(jitter(time_ms * 1e-3), machine_.idle_w + machine_.active_w / 2.0);
  }

  void pass() {
    const Batch batch = this->batch();
    const bool is_prefill = std::ranges::any_of(
        batch, [this](const BatchSequence& sequence) { return slot_of(sequence).prompt > 0; });
    const std::vector<Work> works = Graph(model_, machine_, batch).works();
    PassTruth truth;
    truth.begin = power_.now();
    one_core(0.05);
    truth.start = power_.now();
    const double token_factor = random_.factor(options_.disturbance.token_noise);
    const auto compute = [&](std::size_t work) {
      const OperationCost& cost = works[work].cost;
      power_.spend(jitter(duration_s(machine_, cost)),
                   machine_.idle_w + dynamic_w(machine_, cost) *
                                         class_factor(is_prefill, works[work]) *
                                         random_.factor(options_.disturbance.operation_noise),
                   token_factor);
      if (random_.chance(options_.disturbance.preemptions)) {
        power_.spend(from_ms(random_.exponential(0.06)), machine_.idle_w + machine_.active_w / 2.0);
      }
      truth.ends.push_back(power_.now());
      truth.work_of.push_back(work);
    };
    for (int layer = 0; layer < model_.layers; ++layer) {
      for (std::size_t work = 0; work < works.size(); ++work) {
        if (works[work].is_in_layers) {
          compute(work);
        }
      }
    }
    for (std::size_t work = 0; work < works.size(); ++work) {
      if (!works[work].is_in_layers) {
        compute(work);
      }
    }
    one_core(0.02);
    truth.end = power_.now();
    for (const Work& work : works) {
      truth.shares.push_back(work.shares);
    }
    truth.by_tokens = shares_of(batch, {});
    truth.shapley = fair_shares(batch, is_prefill);
    record(batch, works, truth);
    finish(batch, std::move(truth));
  }

  Slot& slot_of(const BatchSequence& sequence) {
    return slots_[static_cast<std::size_t>(sequence.id)];
  }

  /// The Shapley value of what the pass would cost with each set of its sequences.
  std::vector<double> fair_shares(const Batch& batch, bool is_prefill) {
    std::vector<double> shares = shapley_values(batch.size(), [&](std::uint32_t set) {
      Batch part;
      for (std::size_t index = 0; index < batch.size(); ++index) {
        if ((set & (1U << index)) != 0) {
          part.push_back(batch[index]);
        }
      }
      double energy_j = 0.0;
      for (const Work& work : Graph(model_, machine_, part).works()) {
        energy_j +=
            duration_s(machine_, work.cost) *
            (machine_.idle_w + dynamic_w(machine_, work.cost) * class_factor(is_prefill, work)) *
            (work.is_in_layers ? model_.layers : 1);
      }
      return energy_j;
    });
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) {
      share /= sum;
    }
    return shares;
  }

  void record(const Batch& batch, const std::vector<Work>& works, const PassTruth& truth) {
    // Graphs are the same for the same numbers of tokens, outputs and (padded) positions.
    std::int64_t tokens = 0;
    std::int64_t outputs = 0;
    std::int64_t keys = 0;
    for (const BatchSequence& sequence : batch) {
      tokens += sequence.tokens;
      outputs += sequence.outputs;
      keys = std::max(keys, static_cast<std::int64_t>(keys_of(sequence)));
    }
    const auto key = std::tuple{tokens, outputs, (keys + kCachePadding - 1) / kCachePadding};
    PassRecording& passes = served_.recording.passes;
    const auto [plan, is_new] =
        plans_.try_emplace(key, static_cast<std::uint32_t>(passes.plans.size()));
    if (is_new) {
      OperationPlan made;
      for (int layer = 0; layer < model_.layers; ++layer) {
        for (const Work& work : works) {
          if (work.is_in_layers) {
            made.operations.push_back(work.info);
            made.operations.back().layer = layer;
          }
        }
      }
      for (const Work& work : works) {
        if (!work.is_in_layers) {
          made.operations.push_back(work.info);
        }
      }
      passes.plans.push_back(std::make_shared<const OperationPlan>(std::move(made)));
    }
    PassRecord pass;
    pass.begin = truth.begin;
    pass.start = truth.start;
    pass.end = truth.end;
    pass.plan = plan->second;
    served_.recording.add_pass(0, pass, truth.ends, batch);
  }

  /// Moves the slots on, and chooses tokens.
  void finish(const Batch& batch, PassTruth truth) {
    for (const BatchSequence& sequence : batch) {
      Slot& slot = slot_of(sequence);
      if (slot.request == kNobody) {
        slot.request = served_.requests.size();
        served_.requests.push_back(
            {.cached_tokens = static_cast<std::size_t>(sequence.first_position)});
      }
      truth.requests.push_back(slot.request);
      ServedRequest& request = served_.requests[slot.request];
      slot.next += static_cast<std::int32_t>(sequence.tokens);
      if (slot.prompt > 0) {
        slot.prompt -= sequence.tokens;
        request.prompt_tokens += sequence.tokens;
      }
      if (sequence.outputs > 0) {
        const Instant begin = power_.now();
        one_core(0.15);
        samplings_.push_back({.begin = begin, .end = power_.now(), .request = slot.request});
        --slot.output;
        ++request.output_tokens;
      }
    }
    truths_.push_back(std::move(truth));
  }

  void find_truth() {
    const PowerTrace& trace = served_.trace;
    const auto joules = [&](Instant begin, Instant end) {
      return trace.energy(begin, end).value();
    };
    for (const PassTruth& pass : truths_) {
      const double whole = joules(pass.begin, pass.end);
      const double around = joules(pass.begin, pass.start) + joules(pass.ends.back(), pass.end);
      for (std::size_t place = 0; place < pass.requests.size(); ++place) {
        ServedRequest& request = served_.requests[pass.requests[place]];
        request.true_j += around * pass.by_tokens[place];
        request.shapley_j += whole * pass.shapley[place];
        request.evenly_j += whole / static_cast<double>(pass.requests.size());
      }
      Instant begin = pass.start;
      for (std::size_t operation = 0; operation < pass.ends.size(); ++operation) {
        const double energy = joules(begin, pass.ends[operation]);
        begin = pass.ends[operation];
        const std::vector<double>& shares = pass.shares[pass.work_of[operation]];
        for (std::size_t place = 0; place < pass.requests.size(); ++place) {
          served_.requests[pass.requests[place]].true_j += energy * shares[place];
        }
      }
    }
    for (const SamplingTruth& sampling : samplings_) {
      const double energy = joules(sampling.begin, sampling.end);
      ServedRequest& request = served_.requests[sampling.request];
      request.true_j += energy;
      request.shapley_j += energy;
      request.evenly_j += energy;
    }
    for (const auto& [begin, end] : idle_) {
      served_.idle_j += joules(begin, end);
    }
  }

  ServingOptions options_;
  const ModelShape& model_ = options_.model;
  const Machine& machine_ = options_.machine;
  Random random_;
  PowerWriter power_;
  Served served_;
  std::vector<Slot> slots_;
  std::deque<Arrival> arrivals_;
  std::map<std::tuple<bool, std::string, std::string>, double> factors_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::uint32_t> plans_;
  std::vector<PassTruth> truths_;
  std::vector<SamplingTruth> samplings_;
  std::vector<std::pair<Instant, Instant>> idle_;
};

}  // namespace

Served serve(const ServingOptions& options) { return Server(options).run(); }

std::vector<ServingOptions> sample_servers(std::uint64_t seed) {
  const ModelShape tiny{.name = "tiny"};
  const ModelShape small{
      .name = "small", .layers = 16, .width = 1024, .ff_width = 2816, .heads = 16, .kv_heads = 8};
  std::vector<ServingOptions> servers{
      {.model = tiny, .requests = 30, .slots = 4, .mean_pause_s = 0.1},
      {.model = small, .requests = 16, .slots = 4, .mean_pause_s = 0.5, .mean_prompt = 200},
      {.model = tiny, .requests = 40, .slots = 8, .mean_pause_s = 0.04, .mean_output = 90},
  };
  for (std::size_t index = 0; index < servers.size(); ++index) {
    servers[index].seed = seed * 1000 + 500 + index;
  }
  return servers;
}

}  // namespace enprof::sim
