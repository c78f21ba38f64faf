#include "report/perfetto_trace.hpp"

#include "report/format.hpp"
#include "report/name_table.hpp"
#include "report/protobuf_message.hpp"
#include "report/run_timeline.hpp"

#include <fmt/format.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

// Numbers of fields in Perfetto's .proto files (protos/perfetto/trace/), by message.
constexpr std::uint32_t kPacketOfTrace = 1;

namespace packet_field {
constexpr std::uint32_t kTimestamp = 8;
constexpr std::uint32_t kSequenceId = 10;
constexpr std::uint32_t kTrackEvent = 11;
constexpr std::uint32_t kInternedData = 12;
constexpr std::uint32_t kSequenceFlags = 13;
constexpr std::uint32_t kTrackDescriptor = 60;
}  // namespace packet_field
constexpr std::uint32_t kStateCleared = 1;  // SEQ_INCREMENTAL_STATE_CLEARED
constexpr std::uint32_t kNeedsState = 2;    // SEQ_NEEDS_INCREMENTAL_STATE

namespace event_field {
constexpr std::uint32_t kCategoryIid = 3;
constexpr std::uint32_t kAnnotation = 4;
constexpr std::uint32_t kType = 9;
constexpr std::uint32_t kNameIid = 10;
constexpr std::uint32_t kTrack = 11;
constexpr std::uint32_t kName = 23;
constexpr std::uint32_t kDoubleCounterValue = 44;
}  // namespace event_field
constexpr std::uint32_t kSliceBegin = 1;
constexpr std::uint32_t kSliceEnd = 2;
constexpr std::uint32_t kCounterValue = 4;

namespace annotation_field {
constexpr std::uint32_t kNameIid = 1;
constexpr std::uint32_t kUnsigned = 3;
constexpr std::uint32_t kDouble = 5;
constexpr std::uint32_t kString = 6;
}  // namespace annotation_field

/// Lists of InternedData. Each entry has an iid, which is 1, and a name, which is 2.
constexpr std::uint32_t kCategories = 1;
constexpr std::uint32_t kEventNames = 2;
constexpr std::uint32_t kAnnotationNames = 3;

namespace track_field {
constexpr std::uint32_t kUuid = 1;
constexpr std::uint32_t kName = 2;
constexpr std::uint32_t kProcess = 3;
constexpr std::uint32_t kThread = 4;
constexpr std::uint32_t kParent = 5;
constexpr std::uint32_t kCounter = 8;
}  // namespace track_field
constexpr std::uint32_t kPidOfProcess = 1;
constexpr std::uint32_t kNameOfProcess = 6;
constexpr std::uint32_t kPidOfThread = 1;
constexpr std::uint32_t kTidOfThread = 2;
constexpr std::uint32_t kNameOfThread = 5;
constexpr std::uint32_t kUnitNameOfCounter = 6;

// Our tracks. A trace holds one run, so that small numbers are unique.
constexpr std::uint64_t kRunTrack = 1;
constexpr std::uint64_t kInferenceTrack = 2;
constexpr std::uint64_t kFirstGapTrack = 1'000;          // plus the domain's number
constexpr std::uint64_t kFirstCounterTrack = 1'000'000;  // plus the counter's number

/// Names that are written when they are first used, and later are only numbers.
class Interned {
 public:
  explicit Interned(std::uint32_t list) : list_(list) {}

  /// Adds a new name to the data that the next packet carries.
  std::uint64_t iid(std::string_view name, ProtobufMessage& data) {
    const std::size_t known = names_.size();
    const std::uint64_t iid = std::uint64_t{names_.number_of(name)} + 1;  // 0 is none
    if (names_.size() > known) {
      data.message(list_, ProtobufMessage{}.number(1, iid).text(2, name));
    }
    return iid;
  }

 private:
  std::uint32_t list_;
  NameTable names_;
};

}  // namespace

class PerfettoTrace::Impl final : public TimelineWriter {
 public:
  explicit Impl(std::unique_ptr<RunSource> source) : timeline_(std::move(source)) {
    const std::string& run_id = timeline_.head().run_id;
    add_track(ProtobufMessage{}
                  .number(track_field::kUuid, kRunTrack)
                  .message(track_field::kProcess,
                           ProtobufMessage{}
                               .number(kPidOfProcess, 1)
                               .text(kNameOfProcess, fmt::format("enprof run {}", run_id))));
    add_track(ProtobufMessage{}
                  .number(track_field::kUuid, kInferenceTrack)
                  .number(track_field::kParent, kRunTrack)
                  .message(track_field::kThread, ProtobufMessage{}
                                                     .number(kPidOfThread, 1)
                                                     .number(kTidOfThread, 1)
                                                     .text(kNameOfThread, "inference")));
  }

  Result<bool> write(std::string& text) {
    Result<bool> more = true;
    while (more && *more && trace_.bytes().size() < kPiece) {
      more = timeline_.next(*this);
    }
    text += trace_.bytes();
    trace_.clear();
    return more;
  }

  void begin(Nanoseconds at, const TimelineSlice& slice) override {
    event_.clear();
    event_.number(event_field::kType, kSliceBegin)
        .number(event_field::kTrack, kInferenceTrack)
        .number(event_field::kCategoryIid, categories_.iid(to_string(slice.level), new_names_));
    if (slice.token) {
      event_.text(event_field::kName, slice.name);
      annotate("index", [&](ProtobufMessage& value) {
        value.number(annotation_field::kUnsigned, *slice.token);
      });
    } else {
      event_.number(event_field::kNameIid, event_names_.iid(slice.name, new_names_));
    }
    if (slice.figure != nullptr) {
      annotate(*slice.figure);
    }
    if (slice.run != nullptr) {
      annotate("model", slice.run->model.name);
      annotate("started_at", utc_text(slice.run->started_at));
    }
    add_event(at);
  }

  void end(Nanoseconds at, Level /*level*/, const std::optional<Joules>& energy) override {
    event_.clear();
    event_.number(event_field::kType, kSliceEnd).number(event_field::kTrack, kInferenceTrack);
    annotate("energy_mj", energy);
    add_event(at);
  }

  void operation(Nanoseconds begin, Nanoseconds end, std::string_view name,
                 const std::optional<Joules>& energy) override {
    event_.clear();
    event_.number(event_field::kType, kSliceBegin)
        .number(event_field::kTrack, kInferenceTrack)
        .number(event_field::kCategoryIid, categories_.iid(to_string(Level::operation), new_names_))
        .number(event_field::kNameIid, event_names_.iid(name, new_names_));
    annotate("energy_mj", energy);
    add_event(begin);
    event_.clear();
    event_.number(event_field::kType, kSliceEnd).number(event_field::kTrack, kInferenceTrack);
    add_event(end);
  }

  void count(Nanoseconds at, const TimelineCounter& counter, double value) override {
    const std::uint64_t uuid = kFirstCounterTrack + counter.number;
    if (tracks_.insert(uuid).second) {
      ProtobufMessage description;
      if (!counter.unit.empty()) {
        description.text(kUnitNameOfCounter, counter.unit);
      }
      add_track(ProtobufMessage{}
                    .number(track_field::kUuid, uuid)
                    .number(track_field::kParent, kRunTrack)
                    .text(track_field::kName, counter.name)
                    .message(track_field::kCounter, description));
    }
    event_.clear();
    event_.number(event_field::kType, kCounterValue)
        .number(event_field::kTrack, uuid)
        .real(event_field::kDoubleCounterValue, value);
    add_event(at);
  }

  void not_measured(Nanoseconds begin, Nanoseconds end, std::size_t domain,
                    std::string_view name) override {
    const std::uint64_t uuid = kFirstGapTrack + domain;
    if (tracks_.insert(uuid).second) {
      add_track(ProtobufMessage{}
                    .number(track_field::kUuid, uuid)
                    .number(track_field::kParent, kRunTrack)
                    .text(track_field::kName, fmt::format("{} not measured", name)));
    }
    event_.clear();
    event_.number(event_field::kType, kSliceBegin)
        .number(event_field::kTrack, uuid)
        .number(event_field::kNameIid, event_names_.iid("not measured", new_names_));
    add_event(begin);
    event_.clear();
    event_.number(event_field::kType, kSliceEnd).number(event_field::kTrack, uuid);
    add_event(end);
  }

 private:
  template <class AddValue>
    requires std::invocable<AddValue, ProtobufMessage&>
  void annotate(std::string_view name, AddValue add_value) {
    annotation_.clear();
    annotation_.number(annotation_field::kNameIid, annotation_names_.iid(name, new_names_));
    add_value(annotation_);
    event_.message(event_field::kAnnotation, annotation_);
  }
  void annotate(std::string_view name, std::string_view text) {
    annotate(name, [&](ProtobufMessage& value) { value.text(annotation_field::kString, text); });
  }
  void annotate(std::string_view name, double number) {
    annotate(name, [&](ProtobufMessage& value) { value.real(annotation_field::kDouble, number); });
  }
  void annotate(std::string_view name, const std::optional<Joules>& energy) {
    if (energy) {
      annotate(name, to_mj(*energy));
    }
  }
  void annotate(const Figure& figure) {
    annotate("energy_mj", figure.total);
    annotate("standard_uncertainty_mj", figure.quality.standard_uncertainty);
    annotate("dynamic_energy_mj", figure.dynamic);
    if (figure.quality.method) {
      annotate("method", to_string(*figure.quality.method));
    }
    annotate("coverage", figure.quality.coverage);
  }

  /// Adds event_ as a packet, together with the names that it is the first to use.
  void add_event(Nanoseconds at) {
    packet_.clear();
    packet_.number(packet_field::kTimestamp, at.count())
        .number(packet_field::kSequenceId, 1)
        .number(packet_field::kSequenceFlags, kNeedsState);
    if (!new_names_.empty()) {
      packet_.message(packet_field::kInternedData, new_names_);
      new_names_.clear();
    }
    packet_.message(packet_field::kTrackEvent, event_);
    trace_.message(kPacketOfTrace, packet_);
  }

  void add_track(const ProtobufMessage& description) {
    packet_.clear();
    packet_.number(packet_field::kSequenceId, 1);
    if (std::exchange(is_first_, false)) {
      packet_.number(packet_field::kSequenceFlags, kStateCleared);
    }
    packet_.message(packet_field::kTrackDescriptor, description);
    trace_.message(kPacketOfTrace, packet_);
  }

  RunTimeline timeline_;
  ProtobufMessage trace_;
  ProtobufMessage packet_;
  ProtobufMessage event_;
  ProtobufMessage annotation_;
  ProtobufMessage new_names_;
  Interned categories_{kCategories};
  Interned event_names_{kEventNames};
  Interned annotation_names_{kAnnotationNames};
  std::set<std::uint64_t> tracks_;
  bool is_first_ = true;
};

PerfettoTrace::PerfettoTrace(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
PerfettoTrace::~PerfettoTrace() = default;

Result<bool> PerfettoTrace::next(std::string& text) { return impl_->write(text); }

}  // namespace enprof
