#include "bench/sim/program.hpp"

#include "bench/sim/power_writer.hpp"
#include "bench/sim/random.hpp"
#include "model/operation_work.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace enprof::sim {
namespace {

using Kind = OperationKind;

constexpr double kF16 = 2.0;

TensorShape shape(std::int64_t a, std::int64_t b = 1, std::int64_t c = 1, double bytes = 4.0) {
  return {{a, b, c, 1}, bytes};
}

class Simulation {
 public:
  explicit Simulation(const ProgramOptions& options)
      : options_(options),
        model_(options.model),
        machine_(options.machine),
        random_(options.seed),
        power_(machine_, options_.disturbance, random_) {}

  Program run() {
    idle(options_.idle_around);
    open(Level::run, "run");
    phase(Phase::pre_inference,
          [&] { section("tokenization", [&] { one_core("tokenizer", from_ms(0.4)); }); });
    phase(Phase::prefill, [&] { token(0, options_.prompt_tokens, 0); });
    phase(Phase::decode, [&] {
      for (int index = 1; index < options_.output_tokens; ++index) {
        token(index, 1, options_.prompt_tokens + index - 1);
      }
    });
    phase(Phase::post_inference,
          [&] { section("detokenization", [&] { one_core("tokenizer", from_ms(0.3)); }); });
    close();
    idle(options_.idle_around);
    program_.trace = power_.take();
    return std::move(program_);
  }

 private:
  // ── Spans ──

  void open(Level level, const std::string& name) {
    const auto index = static_cast<std::int32_t>(program_.spans.size());
    program_.spans.push_back({.begin = power_.now(),
                              .end = power_.now(),
                              .parent = open_.empty() ? Span::kNone : open_.back(),
                              .token = token_,
                              .name = name_index(name),
                              .level = level,
                              .phase = phase_});
    program_.class_of.push_back(Program::kNone);
    program_.layer_of.push_back(layer_);
    open_.push_back(index);
  }
  void close() {
    program_.spans[static_cast<std::size_t>(open_.back())].end = power_.now();
    open_.pop_back();
  }
  std::uint16_t name_index(const std::string& name) {
    const auto [found, is_new] =
        names_.try_emplace(name, static_cast<std::uint16_t>(program_.names.size()));
    if (is_new) {
      program_.names.push_back(name);
    }
    return found->second;
  }

  template <class Work>
  void phase(Phase phase, const Work& work) {
    phase_ = phase;
    open(Level::phase, std::string{to_string(phase)});
    work();
    close();
  }
  template <class Work>
  void section(const std::string& name, const Work& work) {
    open(Level::section, name);
    work();
    close();
  }

  // ── Time and power ──

  void spend(Nanoseconds time, double watts) { power_.spend(time, watts, token_factor_); }
  void idle(Nanoseconds time) { spend(time, machine_.idle_w); }
  /// Work on one core that is not an operation of a graph.
  void one_core(const std::string& name, Nanoseconds time) {
    const double watts = machine_.idle_w + machine_.active_w / 2.0 * class_factor("", name) *
                                               random_.factor(options_.disturbance.operation_noise);
    spend(jitter(time), watts);
  }
  Nanoseconds jitter(Nanoseconds time) {
    return from_ms(to_ms(time) * random_.factor(options_.disturbance.time_noise));
  }

  // ── Operations ──

  std::uint32_t class_index(const std::string& component, const std::string& operation) {
    const std::string phase{to_string(phase_)};
    const auto [found, is_new] = classes_.try_emplace(std::tuple{phase, component, operation},
                                                      static_cast<std::uint32_t>(classes_.size()));
    if (is_new) {
      program_.classes.push_back({phase, component, operation});
      program_.work.emplace_back();
    }
    return found->second;
  }
  /// How the class's power differs from the formula: chosen once, when it first occurs.
  double class_factor(const std::string& component, const std::string& operation) {
    const auto [found, is_new] =
        factors_.try_emplace(std::tuple{phase_, component, operation}, 1.0);
    if (is_new) {
      found->second = random_.factor(options_.disturbance.class_spread);
    }
    return found->second;
  }

  void operation(const std::string& component, const std::string& name, Kind kind,
                 const TensorShape& result, const std::vector<TensorShape>& inputs) {
    const OperationWork work =
        operation_work({.kind = kind, .result = result, .inputs = inputs, .rotated = {}});
    const OperationCost cost{.flops_s = *work.flops / machine_.peak_flops,
                             .bytes_s = *work.bytes / machine_.peak_bytes};
    if (component != component_) {
      close_component();
      open(Level::component, component);
      component_ = component;
    }
    open(Level::operation, name);
    const std::uint32_t work_class = class_index(component, name);
    program_.class_of.back() = work_class;
    const double factor = class_factor(component, name);
    program_.work[work_class].factor = factor;
    if (token_ == 0 || token_ == options_.output_tokens / 2) {
      program_.work[work_class].pass.push_back(cost);
    }
    spend(jitter(from_ms(duration_s(machine_, cost) * 1e3)),
          machine_.idle_w + dynamic_w(machine_, cost) * factor *
                                random_.factor(options_.disturbance.operation_noise));
    if (random_.chance(options_.disturbance.preemptions)) {
      spend(from_ms(random_.exponential(0.06)), machine_.idle_w + machine_.active_w / 2.0);
    }
    close();
  }
  void close_component() {
    if (!component_.empty()) {
      close();
      component_.clear();
    }
  }
  void matmul(const std::string& component, int in, int out, int columns) {
    operation(component, "MUL_MAT", Kind::matmul, shape(out, columns),
              {shape(in, out, 1, model_.weight_bytes), shape(in, columns)});
  }

  void token(int index, int positions, int past) {
    token_ = index;
    token_factor_ = random_.factor(options_.disturbance.token_noise);
    open(Level::token, "token");
    section("forward", [&] { forward(positions, past); });
    section("sampling", [&] { one_core("sampling", from_ms(0.25)); });
    close();
    token_ = Span::kNone;
    token_factor_ = 1.0;
  }

  void forward(int n, int past) {
    operation("embedding", "GET_ROWS", Kind::get_rows, shape(model_.width, n),
              {shape(model_.width, model_.vocabulary, 1, model_.weight_bytes), shape(n)});
    close_component();
    for (int layer = 0; layer < model_.layers; ++layer) {
      layer_ = layer;
      open(Level::layer, "layer");
      attention(n, past + n);
      if (model_.experts > 0) {
        experts(n);
      } else {
        feed_forward(n);
      }
      close_component();
      close();
      layer_ = -1;
    }
    norm("output_norm", 1);
    matmul("lm_head", model_.width, model_.vocabulary, 1);
    close_component();
  }

  void norm(const std::string& component, int n) {
    operation(component, "RMS_NORM", Kind::rms_norm, shape(model_.width, n),
              {shape(model_.width, n), shape(model_.width)});
  }
  void add(const std::string& component, int n) {
    operation(component, "ADD", Kind::elementwise, shape(model_.width, n),
              {shape(model_.width, n), shape(model_.width, n)});
  }

  void attention(int n, int positions) {
    const int head = model_.width / model_.heads;
    const int kv_width = head * model_.kv_heads;
    const TensorShape scores = shape(positions, n, model_.heads);
    norm("attn_norm", n);
    matmul("q_proj", model_.width, model_.width, n);
    operation("q_proj", "ROPE", Kind::rope, shape(head, model_.heads, n),
              {shape(head, model_.heads, n), shape(n)});
    matmul("k_proj", model_.width, kv_width, n);
    operation("k_proj", "ROPE", Kind::rope, shape(head, model_.kv_heads, n),
              {shape(head, model_.kv_heads, n), shape(n)});
    matmul("v_proj", model_.width, kv_width, n);
    for (int part = 0; part < 2; ++part) {
      operation("kv_store", "SET_ROWS", Kind::set_rows, shape(kv_width, 4096, 1, kF16),
                {shape(kv_width, n), shape(n, 1, 1, 8.0)});
    }
    operation("attention", "MUL_MAT", Kind::matmul, scores,
              {shape(head, positions, model_.kv_heads, kF16), shape(head, n, model_.heads)});
    operation("attention", "SOFT_MAX", Kind::softmax, scores,
              {scores, shape(positions, n, 1, kF16)});
    operation("attention", "MUL_MAT_V", Kind::matmul, shape(head, n, model_.heads),
              {shape(positions, head, model_.kv_heads, kF16), scores});
    operation("attention", "CONT", Kind::copy, shape(model_.width, n), {shape(model_.width, n)});
    matmul("o_proj", model_.width, model_.width, n);
    add("o_proj", n);
  }

  void feed_forward(int n) {
    norm("ffn_norm", n);
    matmul("gate_proj", model_.width, model_.ff_width, n);
    matmul("up_proj", model_.width, model_.ff_width, n);
    operation("up_proj", "GLU", Kind::swiglu, shape(model_.ff_width, n),
              {shape(model_.ff_width, n), shape(model_.ff_width, n)});
    matmul("down_proj", model_.ff_width, model_.width, n);
    add("down_proj", n);
  }

  void experts(int n) {
    const int used = model_.experts_used;
    const auto expert_matmul = [&](const std::string& component, int in, int out, int rows) {
      operation(component, "MUL_MAT_ID", Kind::matmul_experts, shape(out, used, n),
                {shape(in, out, model_.experts, model_.weight_bytes), shape(in, rows, n),
                 shape(used, n)});
    };
    norm("ffn_norm", n);
    matmul("router", model_.width, model_.experts, n);
    operation("router", "SOFT_MAX", Kind::softmax, shape(model_.experts, n),
              {shape(model_.experts, n)});
    operation("router", "TOP_K", Kind::sort, shape(used, n), {shape(model_.experts, n)});
    expert_matmul("gate_proj", model_.width, model_.ff_width, 1);
    expert_matmul("up_proj", model_.width, model_.ff_width, 1);
    operation("up_proj", "GLU", Kind::swiglu, shape(model_.ff_width, used, n),
              {shape(model_.ff_width, used, n), shape(model_.ff_width, used, n)});
    expert_matmul("down_proj", model_.ff_width, model_.width, used);
    operation("down_proj", "MUL", Kind::elementwise, shape(model_.width, used, n),
              {shape(model_.width, used, n), shape(1, used, n)});
    add("down_proj", n);
  }

  ProgramOptions options_;
  const ModelShape& model_ = options_.model;
  const Machine& machine_ = options_.machine;
  Random random_;
  PowerWriter power_;
  Program program_;
  std::vector<std::int32_t> open_;
  std::map<std::string, std::uint16_t> names_;
  std::map<std::tuple<std::string, std::string, std::string>, std::uint32_t> classes_;
  std::map<std::tuple<Phase, std::string, std::string>, double> factors_;
  std::string component_;  // the open component; empty if none
  Phase phase_ = Phase::pre_inference;
  std::int32_t token_ = Span::kNone;
  std::int32_t layer_ = -1;
  double token_factor_ = 1.0;
};

}  // namespace

double duration_s(const Machine& machine, const OperationCost& cost) {
  return std::max(cost.flops_s, cost.bytes_s) + seconds(machine.overhead);
}

double dynamic_w(const Machine& machine, const OperationCost& cost) {
  return machine.active_w +
         (machine.arithmetic_w * cost.flops_s + machine.traffic_w * cost.bytes_s) /
             duration_s(machine, cost);
}

Program simulate(const ProgramOptions& options) { return Simulation(options).run(); }

std::vector<ProgramOptions> sample_programs(std::uint64_t seed) {
  const ModelShape tiny{.name = "tiny"};
  const ModelShape mixture{.name = "mixture",
                           .layers = 12,
                           .width = 768,
                           .ff_width = 1536,
                           .heads = 12,
                           .kv_heads = 4,
                           .experts = 8,
                           .experts_used = 2};
  const ModelShape small{
      .name = "small", .layers = 16, .width = 1024, .ff_width = 2816, .heads = 16, .kv_heads = 8};
  const ModelShape large{.name = "large",
                         .layers = 32,
                         .width = 4096,
                         .ff_width = 11008,
                         .heads = 32,
                         .kv_heads = 8,
                         .weight_bytes = 18.0 / 32.0};
  std::vector<ProgramOptions> programs{
      {.model = tiny, .prompt_tokens = 256, .output_tokens = 700},
      {.model = mixture, .prompt_tokens = 128, .output_tokens = 400},
      {.model = small, .prompt_tokens = 128, .output_tokens = 250},
      {.model = large, .prompt_tokens = 32, .output_tokens = 40},
      {.model = small, .prompt_tokens = 128, .output_tokens = 250},
  };
  programs.back().model.name = "small, second process";
  programs.back().disturbance.second_process_w = 10.0;
  for (std::size_t index = 0; index < programs.size(); ++index) {
    programs[index].seed = seed * 1000 + index;
  }
  return programs;
}

}  // namespace enprof::sim
