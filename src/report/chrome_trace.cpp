#include "report/chrome_trace.hpp"

#include "enprof/base/version.hpp"

#include "report/format.hpp"
#include "report/json_figures.hpp"
#include "report/run_timeline.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr int kProcess = 1;
constexpr std::size_t kInferenceThread = 1;
/// The thread that shows when a domain was not measured: this plus the domain's number.
constexpr std::size_t kGapThread = 2;

/// Whole nanoseconds as microseconds, exactly.
std::string microseconds(Nanoseconds time) {
  return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000);
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string{"null"};
}
std::string millijoules(const std::optional<Joules>& energy) {
  return energy ? number(to_mj(*energy)) : std::string{"null"};
}

}  // namespace

class ChromeTrace::Impl final : public TimelineWriter {
 public:
  explicit Impl(std::unique_ptr<RunSource> source) : timeline_(std::move(source)) {
    const ProfiledRun& run = timeline_.head();
    text_ = fmt::format("{{\"displayTimeUnit\":\"ms\",\"otherData\":{},\n\"traceEvents\":[\n",
                        on_one_line(Json{{"exporter", fmt::format("enprof {}", library_version())},
                                         {"run_id", run.run_id},
                                         {"started_at", utc_text(run.started_at)}}));
    add_metadata("process_name", kInferenceThread, fmt::format("enprof run {}", run.run_id));
    add_metadata("thread_name", kInferenceThread, "inference");
  }

  Result<bool> write(std::string& text) {
    Result<bool> more = true;
    while (more && *more && text_.size() < kPiece) {
      more = timeline_.next(*this);
    }
    if (more && !*more) {
      text_ += "\n]}\n";
    }
    text += std::exchange(text_, {});
    return more;
  }

  void begin(Nanoseconds at, const TimelineSlice& slice) override {
    add_event(fmt::format("\"ph\":\"B\",\"pid\":{},\"tid\":{},\"ts\":{},\"cat\":\"{}\",\"name\":{}",
                          kProcess, kInferenceThread, microseconds(at), to_string(slice.level),
                          slice.token ? on_one_line(Json(slice.name)) : quoted(slice.name)));
    if (slice.figure != nullptr) {
      add_figure(slice);
    }
    text_ += '}';
  }

  void end(Nanoseconds at, Level level, const std::optional<Joules>& energy) override {
    add_event(fmt::format("\"ph\":\"E\",\"pid\":{},\"tid\":{},\"ts\":{}", kProcess,
                          kInferenceThread, microseconds(at)));
    if (level == Level::layer || level == Level::component) {
      text_ += fmt::format(",\"args\":{{\"energy_mj\":{}}}", millijoules(energy));
    }
    text_ += '}';
  }

  void operation(Nanoseconds begin, Nanoseconds end, std::string_view name,
                 const std::optional<Joules>& energy) override {
    add_event(
        fmt::format("\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},"
                    "\"cat\":\"operation\",\"name\":{},\"args\":{{\"energy_mj\":{}}}}}",
                    kProcess, kInferenceThread, microseconds(begin), microseconds(end - begin),
                    quoted(name), millijoules(energy)));
  }

  void count(Nanoseconds at, const TimelineCounter& counter, double value) override {
    add_event(fmt::format("\"ph\":\"C\",\"pid\":{},\"ts\":{},\"name\":{},\"args\":{{\"{}\":{}}}}}",
                          kProcess, microseconds(at), quoted(counter.name),
                          counter.unit.empty() ? "value" : counter.unit, number(value)));
  }

  void not_measured(Nanoseconds begin, Nanoseconds end, std::size_t domain,
                    std::string_view name) override {
    const std::size_t thread = kGapThread + domain;
    if (named_gaps_.insert(domain).second) {
      add_metadata("thread_name", thread, fmt::format("{} not measured", name));
    }
    add_event(
        fmt::format("\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},"
                    "\"cat\":\"power\",\"name\":\"not measured\"}}",
                    kProcess, thread, microseconds(begin), microseconds(end - begin)));
  }

 private:
  /// Begins an event.
  void add_event(const std::string& members) {
    text_ += std::exchange(separator_, ",\n");
    text_ += '{';
    text_ += members;
  }

  void add_metadata(std::string_view kind, std::size_t thread, const std::string& name) {
    add_event(
        fmt::format("\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"{}\",\"args\":{{\"name\":{}}}}}",
                    kProcess, thread, kind, on_one_line(Json(name))));
  }

  void add_figure(const TimelineSlice& slice) {
    const Quality& quality = slice.figure->quality;
    Json args = Json::object();
    if (slice.token) {
      args["index"] = *slice.token;
    }
    args["energy_mj"] = mj(slice.figure->total);
    args["standard_uncertainty_mj"] = mj(quality.standard_uncertainty);
    args["dynamic_energy_mj"] = mj(slice.figure->dynamic);
    args["method"] = quality.method ? Json(to_string(*quality.method)) : Json(nullptr);
    args["coverage"] = quality.coverage;
    if (slice.run != nullptr) {
      args["model"] = slice.run->model.name;
    }
    text_ += ",\"args\":" + on_one_line(args);
  }

  /// A name as JSON. There are few of them, and each comes often.
  const std::string& quoted(std::string_view name) {
    auto found = quoted_.find(name);
    if (found == quoted_.end()) {
      found = quoted_.emplace(name, on_one_line(Json(name))).first;
    }
    return found->second;
  }

  RunTimeline timeline_;
  std::string text_;
  std::string_view separator_;
  std::map<std::string, std::string, std::less<>> quoted_;
  std::set<std::size_t> named_gaps_;
};

ChromeTrace::ChromeTrace(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
ChromeTrace::~ChromeTrace() = default;

Result<bool> ChromeTrace::next(std::string& text) { return impl_->write(text); }

}  // namespace enprof
