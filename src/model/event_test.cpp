#include "enprof/model/event.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string_view>
#include <type_traits>
#include <variant>

namespace enprof {
namespace {

template <EventType Type, class Data>
constexpr bool kIsTypeOf =
    std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Type), EventData>, Data>;

static_assert(kIsTypeOf<EventType::run_started, events::RunStarted>);
static_assert(kIsTypeOf<EventType::section_start, events::SectionStart>);
static_assert(kIsTypeOf<EventType::section_end, events::SectionEnd>);
static_assert(kIsTypeOf<EventType::token_complete, events::TokenComplete>);
static_assert(kIsTypeOf<EventType::power_sample, events::PowerSample>);
static_assert(kIsTypeOf<EventType::inference_complete, events::InferenceComplete>);
static_assert(kIsTypeOf<EventType::energy_settled, events::EnergySettled>);
static_assert(kIsTypeOf<EventType::layer_metrics, events::LayerMetrics>);
static_assert(kIsTypeOf<EventType::component_metrics, events::ComponentMetrics>);
static_assert(kIsTypeOf<EventType::operation_metrics, events::OperationMetrics>);

TEST(Event, EachKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t index = 0; index < std::variant_size_v<EventData>; ++index) {
    names.insert(to_string(static_cast<EventType>(index)));
  }
  EXPECT_EQ(names.size(), std::variant_size_v<EventData>);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Event, SaysWhatItIsAndHandsOutThatAlone) {
  const Event event{.run_id = "r", .data = events::TokenComplete{.index = 3, .text = "hi"}};
  EXPECT_EQ(event.type(), EventType::token_complete);
  const auto* const token = event.get_if<events::TokenComplete>();
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->text, "hi");
  EXPECT_EQ(event.get_if<events::SectionEnd>(), nullptr);
}

}  // namespace
}  // namespace enprof
