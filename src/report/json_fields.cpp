#include "report/json_fields.hpp"

#include "report/roofline_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <string_view>

namespace enprof {
namespace {

/// Times beyond 100 years are damage; nanoseconds could not hold many times that.
constexpr double kMostMs = 3.2e12;
/// No joules or watts of this world are beyond, in thousandths.
constexpr double kMostThousandths = 1e15;

/// The joules that make these millijoules: of the doubles around the quotient, the one whose
/// product is it.
double from_thousandths(const JsonNode& node) {
  const double thousandths = node.number(-kMostThousandths, kMostThousandths);
  const double quotient = thousandths / 1e3;
  for (const double candidate :
       {quotient, std::nextafter(quotient, std::numeric_limits<double>::infinity()),
        std::nextafter(quotient, -std::numeric_limits<double>::infinity())}) {
    if (candidate * 1e3 == thousandths) {
      return candidate;
    }
  }
  return quotient;
}

}  // namespace

void JsonFields::costs(const OperationFigure& operation) {
  const auto pj = [](const std::optional<double>& joules) {
    return joules ? Json(*joules * 1e12) : Json(nullptr);
  };
  const OperationCost cost = operation_cost(operation);
  object_["energy_per_flop_pj"] = pj(cost.joules_per_flop);
  object_["energy_per_byte_pj"] = pj(cost.joules_per_byte);
  object_["intensity_flop_per_byte"] = nullable(cost.flops_per_byte);
}

void JsonFields::by_domain(FieldName name, const std::vector<std::optional<Watts>>& values) {
  Json& object = object_[key<Watts>(name)] = Json::object();
  for (std::size_t index = 0; index < values.size(); ++index) {
    object[power_->domains[index].domain.name] = mw(values[index]);
  }
}

void JsonFieldReader::share(FieldName name, double& value) {
  read<double>(name, [&](const JsonNode& node) {
    constexpr double kRounding = 1e-6;
    value = node.number();
    if (!(value >= 0.0 && value <= 1.0 + kRounding)) {
      node.is_not("a share from 0 to 1");
    }
  });
}

void JsonFieldReader::shape(std::array<std::int64_t, 4>& dimensions) {
  read<void>("shape", [&](const JsonNode& node) {
    if (node.size() != dimensions.size()) {
      node.is_not("a list of four dimensions");
    }
    for (std::size_t index = 0; index < dimensions.size(); ++index) {
      dimensions[index] = node[index].whole<std::int64_t>();
    }
  });
}

void JsonFieldReader::by_domain(FieldName name, std::vector<std::optional<Watts>>& values) {
  read<Watts>(name, [&](const JsonNode& node) {
    for (const DomainFigure& figure : *domains_) {
      const JsonNode member = node.at(figure.domain.name);
      if (!member.is_there()) {
        break;
      }
      get(member, values.emplace_back());
    }
  });
}

std::size_t JsonFieldReader::index_of_domain(const JsonNode& name, const Domains& domains) {
  const std::string text = name.text();
  const auto found = std::ranges::find(domains, text, [](const DomainFigure& figure) {
    return std::string_view{figure.domain.name};
  });
  if (found == domains.end()) {
    name.is_not("the name of a power domain of this run");
  }
  return static_cast<std::size_t>(found - domains.begin());
}

void JsonFieldReader::get(const JsonNode& node, Joules& value) {
  value = Joules{from_thousandths(node)};
}

void JsonFieldReader::get(const JsonNode& node, Watts& value) {
  value = Watts{from_thousandths(node)};
}

void JsonFieldReader::get(const JsonNode& node, Nanoseconds& value) {
  value = from_ms(node.number(-kMostMs, kMostMs));
}

void JsonFieldReader::get_length(const JsonNode& node, Nanoseconds& value) {
  value = from_ms(node.number(0.0, kMostMs));
}

void JsonFieldReader::get(const JsonNode& node, WallTime& value) {
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
  constexpr std::array<int, 3> kMostOfDay{23, 59, 59};  // hour, minute, second; UTC as POSIX has it
  const bool in_day =
      std::ranges::equal(kMostOfDay, std::span(parts).subspan(3, 3),
                         [](int most, int part_of_day) { return part_of_day <= most; });
  if (!good || !date.ok() || !in_day || parts[0] < kFirstYear || parts[0] > kLastYear) {
    node.is_not("a time like 2026-09-21T14:13:20.123Z");
  }
  value = std::chrono::sys_days{date} + std::chrono::hours{parts[3]} +
          std::chrono::minutes{parts[4]} + std::chrono::seconds{parts[5]} +
          std::chrono::milliseconds{parts[6]};
}

}  // namespace enprof
