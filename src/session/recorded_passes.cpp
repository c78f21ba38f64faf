#include "session/recorded_passes.hpp"

#include "base/json_node.hpp"
#include "model/enum_from_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr int kVersion = 1;
constexpr const char* kHint =
    R"(It looks like {"recorded_passes":1,"plans":[{"operations":[{"component":"q_proj",)"
    R"("us":500}]}],"passes":[{"begin_ms":20,"plan":0,"sequences":[[0,0,12,1]]}]}. )"
    "docs/formats.md describes it.";
constexpr double kLongestMs = 1e10;
constexpr double kLongestUs = 3.6e9;
constexpr std::int32_t kMostLayers = 100'000;

Instant instant(const JsonNode& node) { return Instant{from_ms(node.number(0.0, kLongestMs))}; }
std::optional<Instant> instant_or_none(const JsonNode& node) { return node.optional(instant); }

template <class Number>
std::optional<Number> whole(const JsonNode& node, Number least, Number most) {
  return node.optional([&](const JsonNode& value) { return value.whole(least, most); });
}

CapturedModel read_model(const JsonNode& node) {
  node.allow_only({"name", "architecture", "quantization", "parameters", "weight_bytes", "layers",
                   "embedding_width", "heads", "kv_heads", "head_width", "experts", "experts_used",
                   "vocabulary", "begin_ms", "loaded_ms", "freed_ms"});
  const auto text = [&](std::string_view key) {
    return node.at(key).optional([](const JsonNode& value) { return value.text(); }).value_or("");
  };
  const auto number = [&](std::string_view key) {
    return whole<int>(node.at(key), 1, std::numeric_limits<int>::max());
  };
  const auto large = [&](std::string_view key) {
    return whole<std::uint64_t>(node.at(key), 1, std::numeric_limits<std::int64_t>::max());
  };
  CapturedModel model;
  model.facts.name = text("name");
  model.facts.architecture = text("architecture");
  model.facts.quantization = text("quantization");
  model.facts.parameters = large("parameters");
  model.facts.weight_bytes = large("weight_bytes");
  model.facts.layers = number("layers");
  model.facts.embedding_width = number("embedding_width");
  model.facts.heads = number("heads");
  model.facts.kv_heads = number("kv_heads");
  model.facts.head_width = number("head_width");
  model.facts.experts = number("experts");
  model.facts.experts_used = number("experts_used");
  model.facts.vocabulary = number("vocabulary");
  model.begin = instant_or_none(node.at("begin_ms")).value_or(Instant{});
  model.loaded = instant_or_none(node.at("loaded_ms")).value_or(model.begin);
  model.freed = instant_or_none(node.at("freed_ms"));
  return model;
}

CapturedWork read_work(const JsonNode& node) {
  node.allow_only({"kind", "begin_ms", "end_ms"});
  CapturedWork work{.kind = enum_from_json<CapturedWorkKind>(node.at("kind")),
                    .begin = instant(node.at("begin_ms")),
                    .end = instant(node.at("end_ms"))};
  if (work.end < work.begin) {
    node.at("end_ms").is_not("a time after begin_ms");
  }
  return work;
}

/// A plan, and how long each of its operations takes.
struct TimedPlan {
  SharedPlan plan;
  std::vector<Nanoseconds> lengths;
};

TimedPlan read_plan(const JsonNode& node) {
  node.allow_only({"operations"});
  OperationPlan plan;
  TimedPlan timed;
  const JsonNode operations = node.at("operations");
  for (std::size_t index = 0; index < operations.size(); ++index) {
    const JsonNode operation = operations[index];
    operation.allow_only({"layer", "component", "op", "name", "shape", "us", "flops", "bytes"});
    const auto amount = [&](std::string_view key) {
      return operation.at(key).optional([](const JsonNode& value) {
        return value.number(0.0, std::numeric_limits<double>::max());
      });
    };
    OperationInfo info;
    info.layer = whole(operation.at("layer"), OperationInfo::kNoLayer, kMostLayers)
                     .value_or(OperationInfo::kNoLayer);
    info.component = operation.at("component").text();
    const auto text = [](const JsonNode& value) { return value.text(); };
    info.op = operation.at("op").optional(text).value_or("");
    info.name = operation.at("name").optional(text).value_or("");
    const JsonNode shape = operation.at("shape");
    for (std::size_t at = 0; at < std::min(shape.size(), info.shape.size()); ++at) {
      info.shape[at] = shape[at].whole<std::int64_t>(0, std::numeric_limits<std::int32_t>::max());
    }
    info.flops = amount("flops");
    info.bytes = amount("bytes");
    plan.operations.push_back(std::move(info));
    timed.lengths.push_back(from_ms(operation.at("us").number(0.0, kLongestUs) / 1e3));
  }
  timed.plan = std::make_shared<const OperationPlan>(std::move(plan));
  return timed;
}

BatchSequence read_sequence(const JsonNode& node) {
  constexpr std::size_t kNumbers = 4;
  if (node.size() != kNumbers) {
    node.is_not("a list of id, first position, tokens and outputs");
  }
  constexpr std::uint32_t kMostTokens = 1U << 30U;
  BatchSequence sequence{.id = node[0].whole<std::int32_t>(),
                         .first_position = node[1].whole<std::int32_t>(0),
                         .tokens = node[2].whole<std::uint32_t>(0, kMostTokens),
                         .outputs = node[3].whole<std::uint32_t>(0, kMostTokens)};
  if (sequence.outputs > sequence.tokens) {
    node[3].is_not("at most the tokens");
  }
  return sequence;
}

class Reader {
 public:
  CaptureRecording read(const JsonNode& document) {
    document.allow_only({"recorded_passes", "models", "contexts", "plans", "work", "passes"});
    if (document.at("recorded_passes").json() != kVersion) {
      throw JsonError(
          fmt::format("it does not begin with \"recorded_passes\": {}, the version "
                      "that this program reads",
                      kVersion));
    }
    recording_.models = document.at("models").list(read_model);
    recording_.contexts = document.at("contexts").list([this](const JsonNode& node) {
      node.allow_only({"model", "positions"});
      return CapturedContext{
          .model = index(node.at("model"), recording_.models.size()),
          .positions = whole<int>(node.at("positions"), 1, std::numeric_limits<int>::max())};
    });
    plans_ = document.at("plans").list(read_plan);
    for (const TimedPlan& plan : plans_) {
      recording_.passes.plans.push_back(plan.plan);
    }
    recording_.work = document.at("work").list(read_work);
    std::ranges::stable_sort(recording_.work, {}, &CapturedWork::begin);
    const JsonNode passes = document.at("passes");
    for (std::size_t pass = 0; pass < passes.size(); ++pass) {
      read_pass(passes[pass]);
    }
    return std::move(recording_);
  }

 private:
  static std::uint32_t index(const JsonNode& node, std::size_t count) {
    if (count == 0) {
      node.is_not("a place in a list, which is empty");
    }
    return node.whole<std::uint32_t>(0, static_cast<std::uint32_t>(count - 1));
  }

  void read_pass(const JsonNode& node) {
    node.allow_only({"begin_ms", "end_ms", "context", "plan", "sequences"});
    PassRecord pass;
    pass.begin = pass.start = instant(node.at("begin_ms"));
    if (pass.begin < last_begin_) {
      node.at("begin_ms").is_not("at or after that of the pass before it");
    }
    last_begin_ = pass.begin;
    std::vector<Instant> ends;
    if (!node.at("plan").absent()) {
      pass.plan = index(node.at("plan"), plans_.size());
      Instant end = pass.start;
      for (const Nanoseconds length : plans_[pass.plan].lengths) {
        ends.push_back(end += length);
      }
      pass.end = end;
    } else {
      pass.state = PassState::discarded;
      pass.plan = std::numeric_limits<std::uint32_t>::max();
      pass.end = pass.begin;
    }
    if (const auto end = instant_or_none(node.at("end_ms"))) {
      if (*end < pass.end) {
        node.at("end_ms").is_not("a time after the end of its operations");
      }
      pass.end = *end;
    } else if (ends.empty()) {
      node.at("end_ms").is_not("a time");  // it is missing, and no plan tells it
    }
    const std::uint32_t context =
        node.at("context").absent() ? 0 : index(node.at("context"), recording_.contexts.size());
    recording_.add_pass(context, pass, ends, node.at("sequences").list(read_sequence));
  }

  CaptureRecording recording_;
  std::vector<TimedPlan> plans_;
  Instant last_begin_;
};

}  // namespace

Result<CaptureRecording> parse_recorded_passes(std::string_view text, std::string_view name) {
  try {
    const auto json = parse_document(text);
    return Reader{}.read(JsonNode(json, "the file"));
  } catch (const JsonError& wrong) {
    return fail(ErrorCode::malformed,
                fmt::format("{} holds no recorded passes: {}", name, wrong.what()),
                wrong.hint().empty() ? kHint : wrong.hint());
  }
}

Result<CaptureRecording> read_recorded_passes(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad()) {
    const int error = errno == 0 ? EIO : errno;
    return fail(error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                fmt::format("Recorded passes cannot be read from {}: {}", path.string(),
                            std::generic_category().message(error)),
                "Name a readable file.");
  }
  return parse_recorded_passes(text, path.string());
}

CaptureRecording moved_to(const CaptureRecording& recording, Instant begin, Instant end) {
  CaptureRecording moved = recording;
  const Nanoseconds by = begin - Instant{};
  moved.begin = begin;
  moved.end = end;
  for (CapturedModel& model : moved.models) {
    model.begin = std::min(model.begin + by, end);
    model.loaded = std::min(model.loaded + by, end);
    if (model.freed) {
      *model.freed += by;
    }
  }
  for (CapturedWork& work : moved.work) {
    work.begin += by;
    work.end += by;
  }
  for (CapturedChange& change : moved.changes) {
    change.change.at += by;
  }
  for (PassRecord& pass : moved.passes.passes) {
    pass.begin += by;
    pass.start += by;
    pass.end += by;
  }
  const auto late = std::ranges::find_if(moved.passes.passes,
                                         [end](const PassRecord& pass) { return pass.end > end; });
  moved.context_of.resize(static_cast<std::size_t>(late - moved.passes.passes.begin()));
  moved.passes.passes.erase(late, moved.passes.passes.end());
  std::erase_if(moved.work, [end](const CapturedWork& work) { return work.begin >= end; });
  return moved;
}

}  // namespace enprof
