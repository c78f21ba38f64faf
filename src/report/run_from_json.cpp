#include "report/run_from_json.hpp"

#include "base/json_text.hpp"
#include "model/enum_from_name.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace enprof {
namespace {

using Document = nlohmann::json;

/// Durations and instants beyond 100 years are damage; nanoseconds could not hold many times that.
constexpr double kMostMs = 3.2e12;

/// The joules that make these millijoules: of the doubles around the quotient, the one whose
/// product is it.
double joules_from_mj(double millijoules) {
  const double quotient = millijoules / 1e3;
  for (const double candidate :
       {quotient, std::nextafter(quotient, std::numeric_limits<double>::infinity()),
        std::nextafter(quotient, -std::numeric_limits<double>::infinity())}) {
    if (candidate * 1e3 == millijoules) {
      return candidate;
    }
  }
  return quotient;
}

/// A value in the document, and the way to it for messages.
class Node {
 public:
  Node(const Document* value, std::string path) : value_(value), path_(std::move(path)) {}

  [[noreturn]] void reject(const std::string& what) const {
    throw std::invalid_argument(fmt::format("{} {}", path_.empty() ? "the document" : path_, what));
  }

  [[nodiscard]] bool absent() const { return value_ == nullptr || value_->is_null(); }
  /// What is missing is absent, as null is.
  [[nodiscard]] Node at(const char* key) const {
    if (value_ == nullptr || !value_->is_object()) {
      reject("is no object");
    }
    const auto found = value_->find(key);
    return {found == value_->end() ? nullptr : &*found, path_ + "." + key};
  }
  [[nodiscard]] bool has(const std::string& key) const {
    return value_ != nullptr && value_->is_object() && value_->contains(key);
  }
  [[nodiscard]] Node at(std::size_t index) const {
    return {&(*value_)[index], fmt::format("{}[{}]", path_, index)};
  }
  /// A list; a missing one is empty.
  [[nodiscard]] std::size_t size() const {
    if (value_ == nullptr) {
      return 0;
    }
    if (!value_->is_array()) {
      reject("is no list");
    }
    return value_->size();
  }

  [[nodiscard]] std::string text() const {
    if (value_ == nullptr || !value_->is_string()) {
      reject("is no text");
    }
    return value_->get<std::string>();
  }
  [[nodiscard]] std::string text_or_empty() const { return absent() ? std::string{} : text(); }
  [[nodiscard]] double number() const {
    if (value_ == nullptr || !value_->is_number()) {
      reject("is no number");
    }
    return value_->get<double>();
  }
  /// What is no number (NaN) is written as null.
  [[nodiscard]] double number_or_nan() const {
    return absent() ? std::numeric_limits<double>::quiet_NaN() : number();
  }
  template <std::integral Number>
  [[nodiscard]] Number whole() const {
    if (value_ != nullptr && value_->is_number_unsigned()) {
      if (const auto value = value_->get<std::uint64_t>(); std::in_range<Number>(value)) {
        return static_cast<Number>(value);
      }
    } else if (value_ != nullptr && value_->is_number_integer()) {
      if (const auto value = value_->get<std::int64_t>(); std::in_range<Number>(value)) {
        return static_cast<Number>(value);
      }
    }
    reject("is no whole number, or is out of its bounds");
  }
  /// -1 where it is absent: outside the layers, the prompt.
  [[nodiscard]] std::int32_t index() const { return absent() ? -1 : whole<std::int32_t>(); }
  [[nodiscard]] Nanoseconds ms() const {
    const double value = number();
    if (!(std::abs(value) <= kMostMs)) {
      reject("is a time out of all bounds");
    }
    // Times may lie before the run's begin; none of these can.
    constexpr std::array<std::string_view, 6> kLengths{
        ".duration_ms", ".load_ms", ".interval_ms", ".window_ms", ".period_ms", ".stamp_error_ms"};
    if (value < 0.0 &&
        std::ranges::any_of(
            kLengths, [this](std::string_view key) { return path_.ends_with(key); })) {
      reject("is negative");
    }
    return from_ms(value);
  }
  [[nodiscard]] Joules mj() const { return Joules{joules_from_mj(bounded())}; }
  [[nodiscard]] Watts mw() const { return Watts{joules_from_mj(bounded())}; }
  /// A number that no joules or watts of this world are beyond, in thousandths.
  [[nodiscard]] double bounded() const {
    constexpr double kMost = 1e15;
    const double value = number();
    if (!(std::abs(value) <= kMost)) {
      reject("is out of all bounds");
    }
    return value;
  }
  /// A part of a whole.
  [[nodiscard]] double share() const {
    constexpr double kRounding = 1e-6;
    const double value = number();
    if (!(value >= 0.0 && value <= 1.0 + kRounding)) {
      reject("is no share from 0 to 1");
    }
    return value;
  }
  template <class Enum>
  [[nodiscard]] Enum name() const {
    if (const auto value = enum_from_name<Enum>(text())) {
      return *value;
    }
    reject(fmt::format("is \"{}\", which enprof does not know", text().substr(0, 40)));
  }

  template <class Read>
  [[nodiscard]] auto optional(Read read) const -> std::optional<std::invoke_result_t<Read, Node>> {
    if (absent()) {
      return std::nullopt;
    }
    return read(*this);
  }
  [[nodiscard]] std::optional<double> optional_number() const {
    return optional([](const Node& node) { return node.number(); });
  }
  template <std::integral Number>
  [[nodiscard]] std::optional<Number> optional_whole() const {
    return optional([](const Node& node) { return node.whole<Number>(); });
  }
  [[nodiscard]] std::optional<Joules> optional_mj() const {
    return optional([](const Node& node) { return node.mj(); });
  }
  [[nodiscard]] std::optional<Watts> optional_mw() const {
    return optional([](const Node& node) { return node.mw(); });
  }
  [[nodiscard]] std::optional<Nanoseconds> optional_ms() const {
    return optional([](const Node& node) { return node.ms(); });
  }

  /// Each entry of a list, read by `read`.
  template <class Read>
  [[nodiscard]] auto list(Read read) const -> std::vector<std::invoke_result_t<Read, Node>> {
    std::vector<std::invoke_result_t<Read, Node>> entries;
    const std::size_t count = size();
    entries.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
      entries.push_back(read(at(index)));
    }
    return entries;
  }

 private:
  const Document* value_;
  std::string path_;
};

WallTime wall_time(const Node& node) {
  const std::string text = node.text();
  std::array<int, 7> parts{};  // year, month, day, hour, minute, second, millisecond
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddZ";
  std::size_t part = 0;
  bool good = text.size() == kShape.size();
  for (std::size_t at = 0; good && at < text.size(); ++at) {
    if (kShape[at] == 'd') {
      good = text[at] >= '0' && text[at] <= '9';
      parts[part] = parts[part] * 10 + (text[at] - '0');
    } else {
      good = text[at] == kShape[at];
      part = std::min<std::size_t>(part + 1, 6);
    }
  }
  const std::chrono::year_month_day date{std::chrono::year{parts[0]},
                                         std::chrono::month{static_cast<unsigned>(parts[1])},
                                         std::chrono::day{static_cast<unsigned>(parts[2])}};
  // Nanoseconds since 1970, which the clock counts in, end in 2262.
  constexpr int kFirstYear = 1970;
  constexpr int kLastYear = 2199;
  constexpr std::array<int, 3> kMostOfDay{23, 59,
                                          59};  // hour, minute, second; as UTC of POSIX has them
  const bool in_day =
      std::ranges::equal(kMostOfDay, std::span(parts).subspan(3, 3),
                         [](int most, int part_of_day) { return part_of_day <= most; });
  if (!good || !date.ok() || !in_day || parts[0] < kFirstYear || parts[0] > kLastYear) {
    node.reject("is no time like 2026-09-21T14:13:20.123Z");
  }
  return std::chrono::sys_days{date} + std::chrono::hours{parts[3]} +
         std::chrono::minutes{parts[4]} + std::chrono::seconds{parts[5]} +
         std::chrono::milliseconds{parts[6]};
}

Quality quality(const Node& node) {
  return {.sensor = node.at("sensor").text_or_empty(),
          .method = node.at("method").optional([](const Node& n) { return n.name<Method>(); }),
          .coverage = node.at("coverage").share(),
          .resolution = node.at("resolution").optional_number(),
          .standard_error = node.at("standard_error_mj").optional_mj(),
          .dynamic_standard_error = node.at("dynamic_standard_error_mj").optional_mj(),
          .foreign_cpu_share = node.at("foreign_cpu_share").optional_number()};
}

Figure figure(const Node& node) {
  return {.duration = node.at("duration_ms").ms(),
          .total = node.at("energy_mj").optional_mj(),
          .baseline = node.at("baseline_energy_mj").optional_mj(),
          .dynamic = node.at("dynamic_energy_mj").optional_mj(),
          .mean_power = node.at("mean_power_mw").optional_mw(),
          .quality = quality(node.at("quality"))};
}

ModelFacts model(const Node& node) {
  const auto number = [&](const char* key) { return node.at(key).optional_whole<int>(); };
  const auto large = [&](const char* key) { return node.at(key).optional_whole<std::uint64_t>(); };
  return {.name = node.at("name").text_or_empty(),
          .path = node.at("path").text_or_empty(),
          .architecture = node.at("architecture").text_or_empty(),
          .quantization = node.at("quantization").text_or_empty(),
          .engine = node.at("engine").text_or_empty(),
          .parameters = large("parameters"),
          .file_bytes = large("file_bytes"),
          .weight_bytes = large("weight_bytes"),
          .layers = number("layers"),
          .embedding_width = number("embedding_width"),
          .feed_forward_width = number("feed_forward_width"),
          .heads = number("heads"),
          .kv_heads = number("kv_heads"),
          .head_width = number("head_width"),
          .experts = number("experts"),
          .experts_used = number("experts_used"),
          .vocabulary = number("vocabulary"),
          .context_trained = number("context_trained"),
          .context = number("context"),
          .kv_cache_bytes = large("kv_cache_bytes"),
          .kv_cache_used_bytes = large("kv_cache_used_bytes"),
          .gpu_layers = number("gpu_layers"),
          .threads = number("threads"),
          .load_time = node.at("load_ms").optional_ms()};
}

Totals totals(const Node& node) {
  const auto number = [&](const char* key) { return node.at(key).optional_number(); };
  return {.figure = figure(node),
          .process_dynamic = node.at("process_dynamic_energy_mj").optional_mj(),
          .prompt_tokens = node.at("prompt_tokens").whole<std::uint32_t>(),
          .output_tokens = node.at("output_tokens").whole<std::uint32_t>(),
          .time_to_first_token = node.at("time_to_first_token_ms").optional_ms(),
          .prefill_tokens_per_second = number("prefill_tokens_per_second"),
          .decode_tokens_per_second = number("decode_tokens_per_second"),
          .energy_per_input_token = node.at("energy_per_input_token_mj").optional_mj(),
          .energy_per_output_token = node.at("energy_per_output_token_mj").optional_mj(),
          .output_to_input_ratio = number("output_to_input_energy_ratio"),
          .tokens_per_joule = number("tokens_per_joule"),
          .edp_joule_seconds = number("edp_js"),
          .edp_per_token_joule_seconds = number("edp_per_token_js"),
          .economics = {.price_usd_per_kwh = node.at("price_usd_per_kwh").number(),
                        .carbon_g_per_kwh = node.at("carbon_g_per_kwh").number()},
          .cost_usd = number("cost_usd"),
          .co2_grams = number("co2_g")};
}

OperationInfo operation(const Node& node) {
  OperationInfo info{.layer = node.at("layer").index(),
                     .component = node.at("component").text(),
                     .op = node.at("op").text(),
                     .name = node.at("name").text(),
                     .flops = node.at("flops").optional_number(),
                     .bytes = node.at("bytes").optional_number()};
  const auto shape = node.at("shape").list([](const Node& n) { return n.whole<std::int64_t>(); });
  if (shape.size() != info.shape.size()) {
    node.at("shape").reject("has not four dimensions");
  }
  std::ranges::copy(shape, info.shape.begin());
  return info;
}

/// The order of an event's columns is the writer's.
OperationEvent event(const Node& node, std::size_t operations) {
  constexpr std::size_t kColumns = 6;
  if (node.size() != kColumns) {
    node.reject("has not six columns");
  }
  const Nanoseconds duration = node.at(1).ms();
  OperationEvent result{.begin = node.at(std::size_t{0}).ms(),
                        .operation = node.at(3).whole<std::uint32_t>(),
                        .token = node.at(4).index(),
                        .phase = node.at(5).name<Phase>()};
  if (const auto energy = node.at(2).optional_mj()) {
    result.energy_j = energy->value();
  }
  if (!std::in_range<std::uint32_t>(duration.count())) {
    node.at(1).reject("is a duration out of all bounds");
  }
  result.duration_ns = static_cast<std::uint32_t>(duration.count());
  if (result.operation >= operations) {
    node.at(3).reject("names an operation that is not there");
  }
  return result;
}

OperationTable operation_table(const Node& node) {
  OperationTable table;
  if (node.absent()) {
    return table;
  }
  table.operations = node.at("operations").list(operation);
  table.events = node.at("events").list(
      [&](const Node& entry) { return event(entry, table.operations.size()); });
  return table;
}

SampledValues values(const Node& node) {
  SampledValues result;
  if (node.absent()) {
    return result;
  }
  result.every = node.at("every").whole<std::uint32_t>();
  result.passes = node.at("passes").whole<std::uint32_t>();
  result.sparsity_threshold = node.at("sparsity_threshold").number();
  result.activations = node.at("activations").list([](const Node& n) {
    return ActivationValues{.phase = n.at("phase").name<Phase>(),
                            .token = n.at("token").index(),
                            .layer = n.at("layer").index(),
                            .component = n.at("component").text(),
                            .mean = n.at("mean").number_or_nan(),
                            .standard_deviation = n.at("standard_deviation").number_or_nan(),
                            .maximum = n.at("maximum").number_or_nan(),
                            .sparsity = n.at("sparsity").number_or_nan(),
                            .kill_ratio = n.at("kill_ratio").optional_number(),
                            .variance_ratio = n.at("variance_ratio").optional_number()};
  });
  result.attention = node.at("attention").list([](const Node& n) {
    return AttentionValues{.phase = n.at("phase").name<Phase>(),
                           .token = n.at("token").index(),
                           .layer = n.at("layer").index(),
                           .head = n.at("head").whole<std::int32_t>(),
                           .entropy_nats = n.at("entropy_nats").number_or_nan(),
                           .maximum_weight = n.at("maximum_weight").number_or_nan(),
                           .sparsity = n.at("sparsity").number_or_nan()};
  });
  result.experts = node.at("experts").list([](const Node& n) {
    ExpertActivation activation{
        .phase = n.at("phase").name<Phase>(),
        .token = n.at("token").index(),
        .layer = n.at("layer").index(),
        .experts = n.at("experts").list([](const Node& e) { return e.whole<std::uint16_t>(); }),
        .weights = n.at("weights").list(
            [](const Node& e) { return static_cast<float>(e.number_or_nan()); }),
        .routing_entropy_nats = n.at("routing_entropy_nats").number_or_nan()};
    if (activation.experts.size() != activation.weights.size()) {
      n.reject("has not as many weights as experts");
    }
    return activation;
  });
  return result;
}

class PowerReader {
 public:
  explicit PowerReader(const Node& node) : node_(node) {}

  PowerFigures read() {
    power_.sources = node_.at("sources").list([](const Node& n) { return n.text(); });
    power_.interval = node_.at("interval_ms").ms();
    const Node domains = node_.at("domains");
    power_.domains = domains.list([](const Node& n) { return domain(n); });
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      power_.domains[index].domain.parent =
          domains.at(index).at("within").optional([&](const Node& n) { return named(n); });
    }
    if (lie_in_each_other()) {
      domains.reject("lie in each other");
    }
    power_.baseline = node_.at("baseline").optional([](const Node& n) {
      return BaselineFigure{.power = n.at("power_mw").mw(),
                            .spread = n.at("spread_mw").optional_mw(),
                            .duration = n.at("duration_ms").ms(),
                            .windows = n.at("windows").whole<std::uint32_t>()};
    });
    power_.peak = node_.at("peak").optional([&](const Node& n) { return peak(n); });
    power_.samples = node_.at("samples").list([&](const Node& n) {
      return PowerSample{.domain = named(n.at("domain")),
                         .begin = n.at("begin_ms").ms(),
                         .end = n.at("end_ms").ms(),
                         .energy = n.at("energy_mj").mj()};
    });
    power_.readings = node_.at("readings").list([&](const Node& n) {
      return PowerReading{.domain = named(n.at("domain")),
                          .quantity = n.at("quantity").name<SensorQuantity>(),
                          .at = n.at("at_ms").ms(),
                          .value = n.at("value").number()};
    });
    return std::move(power_);
  }

 private:
  static DomainFigure domain(const Node& node) {
    DomainFigure result{.domain = domain_from_name(node.at("name").text()),
                        .figure = figure(node),
                        .idle_power = node.at("idle_power_mw").optional_mw(),
                        .idle_spread = node.at("idle_spread_mw").optional_mw()};
    Domain& domain = result.domain;
    domain.kind = node.at("kind").name<DomainKind>();
    if (const Node scope = node.at("scope"); !scope.absent()) {
      domain.scope = scope.name<DomainScope>();
    }
    domain.device = node.at("device").text_or_empty();
    domain.source = node.at("source").text_or_empty();
    domain.method = node.at("method").name<Method>();
    domain.period = node.at("period_ms").ms();
    domain.stamp_error = node.at("stamp_error_ms").ms();
    return result;
  }

  /// Whoever follows a domain's parents must come to an end.
  [[nodiscard]] bool lie_in_each_other() const {
    return std::ranges::any_of(power_.domains, [&](const DomainFigure& figure) {
      std::optional<std::size_t> parent = figure.domain.parent;
      for (std::size_t step = 0; parent; ++step) {
        if (step > power_.domains.size()) {
          return true;
        }
        parent = power_.domains[*parent].domain.parent;
      }
      return false;
    });
  }

  [[nodiscard]] std::size_t named(const Node& node) const {
    const std::string name = node.text();
    const auto found = std::ranges::find(power_.domains, name, [](const DomainFigure& figure) {
      return std::string_view{figure.domain.name};
    });
    if (found == power_.domains.end()) {
      node.reject("names a power domain that is not there");
    }
    return static_cast<std::size_t>(found - power_.domains.begin());
  }

  [[nodiscard]] PeakPower peak(const Node& node) const {
    PeakPower result{.power = node.at("power_mw").mw(),
                     .at = node.at("at_ms").ms(),
                     .window = node.at("window_ms").ms()};
    const Node domains = node.at("domains_mw");
    for (const DomainFigure& figure : power_.domains) {
      if (!domains.has(figure.domain.name)) {
        break;
      }
      result.by_domain.push_back(domains.at(figure.domain.name.c_str()).optional_mw());
    }
    return result;
  }

  const Node& node_;
  PowerFigures power_;
};

/// An id goes into URLs, file names and terminals; those that enprof makes are 16 hexadecimal
/// digits.
std::string run_id(const Node& node) {
  constexpr std::size_t kLongest = 64;
  std::string id = node.text();
  const bool plain = std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
  if (id.empty() || id.size() > kLongest || !plain || id.front() == '.' || id.front() == '-' ||
      id == "last") {  // a word that means another run
    node.reject(
        fmt::format("is no id: 1 to {} letters, digits, '-', '_' and '.', of which a letter, "
                    "a digit or '_' is the first; and not 'last'",
                    kLongest));
  }
  return id;
}

ProfiledRun read_run(const Node& node) {
  ProfiledRun run;
  run.run_id = run_id(node.at("run_id"));
  run.status = node.at("status").name<RunStatus>();
  run.started_at = wall_time(node.at("started_at"));
  run.depth = node.at("depth").name<Depth>();
  run.experiment = node.at("experiment").text_or_empty();
  run.tags = node.at("tags").list([](const Node& n) { return n.text(); });
  run.prompt = node.at("prompt").text();
  run.response = node.at("response").text();
  run.finish_reason = node.at("finish_reason").text_or_empty();
  run.model = model(node.at("model"));
  run.totals = totals(node.at("totals"));
  run.phases = node.at("phases").list([](const Node& n) {
    return PhaseFigure{
        .phase = n.at("phase").name<Phase>(), .begin = n.at("begin_ms").ms(), .figure = figure(n)};
  });
  run.sections = node.at("sections").list([](const Node& n) {
    return SectionFigure{.phase = n.at("phase").name<Phase>(),
                         .name = n.at("name").text(),
                         .count = n.at("count").whole<std::uint32_t>(),
                         .begin = n.at("begin_ms").ms(),
                         .figure = figure(n)};
  });
  run.tokens = node.at("tokens").list([](const Node& n) {
    return TokenFigure{.index = n.at("index").whole<std::uint32_t>(),
                       .text = n.at("text").text(),
                       .phase = n.at("phase").name<Phase>(),
                       .begin = n.at("begin_ms").ms(),
                       .figure = figure(n)};
  });
  run.layers = node.at("layers").list([](const Node& n) {
    return LayerFigure{.phase = n.at("phase").name<Phase>(),
                       .layer = n.at("layer").index(),
                       .count = n.at("count").whole<std::uint64_t>(),
                       .figure = figure(n)};
  });
  run.components = node.at("components").list([](const Node& n) {
    return ComponentFigure{.phase = n.at("phase").name<Phase>(),
                           .layer = n.at("layer").index(),
                           .component = n.at("component").text(),
                           .count = n.at("count").whole<std::uint64_t>(),
                           .figure = figure(n),
                           .flops = n.at("flops").optional_number(),
                           .bytes = n.at("bytes").optional_number()};
  });
  run.operations = node.at("operations").list([](const Node& n) {
    return OperationFigure{.phase = n.at("phase").name<Phase>(),
                           .component = n.at("component").text(),
                           .op = n.at("op").text(),
                           .count = n.at("count").whole<std::uint64_t>(),
                           .figure = figure(n),
                           .flops = n.at("flops").optional_number(),
                           .bytes = n.at("bytes").optional_number()};
  });
  run.operation_table = operation_table(node.at("operation_table"));
  run.values = values(node.at("values"));
  const Node power = node.at("power");
  run.power = PowerReader(power).read();
  run.warnings = node.at("warnings").list([](const Node& n) {
    return Warning{.component = n.at("component").text(),
                   .code = n.at("code").text(),
                   .message = n.at("message").text(),
                   .hint = n.at("hint").text_or_empty()};
  });
  return run;
}

}  // namespace

Result<ProfiledRun> run_from_json(std::string_view text) {
  try {
    const Document document = Document::parse(text);
    return read_run(Node{&document, ""});
  } catch (const std::exception& error) {
    return fail(ErrorCode::malformed,
                fmt::format("This is no run as JSON: {}", without_exception_name(error.what())),
                "It should be what enprof export RUN --format json has written.");
  }
}

}  // namespace enprof
