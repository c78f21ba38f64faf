#include "enprof/model/domain.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 10> kKinds{"psys", "package", "core", "uncore", "dram",
                                                  "cpu",  "gpu",     "ane",  "soc",    "other"};

std::optional<std::size_t> find(const std::vector<Domain>& domains, DomainKind kind,
                                std::optional<int> socket = std::nullopt) {
  const auto match = std::ranges::find_if(domains, [&](const Domain& domain) {
    return domain.kind == kind && (!socket || domain.socket == socket);
  });
  if (match == domains.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(match - domains.begin());
}

}  // namespace

std::string_view to_string(DomainKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kKinds.size() ? kKinds[index] : std::string_view{"other"};
}

Domain domain_from_name(std::string_view name) {
  Domain domain;
  domain.name = name;
  std::string_view stem = name;
  if (const auto dash = name.rfind('-'); dash != std::string_view::npos) {
    const std::string_view digits = name.substr(dash + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc{} && end == digits.data() + digits.size() && number >= 0) {
      domain.socket = number;
      stem = name.substr(0, dash);
    }
  }
  const auto* const kind = std::ranges::find(kKinds, stem);
  if (kind == kKinds.end()) {
    domain.socket.reset();
    return domain;
  }
  domain.kind = static_cast<DomainKind>(kind - kKinds.begin());
  return domain;
}

void link_parents(std::vector<Domain>& domains) {
  const auto psys = find(domains, DomainKind::psys);
  const auto soc = find(domains, DomainKind::soc);
  for (Domain& domain : domains) {
    switch (domain.kind) {
      case DomainKind::core:
      case DomainKind::uncore:
        domain.parent = find(domains, DomainKind::package, domain.socket);
        if (!domain.parent) {
          domain.parent = psys;
        }
        break;
      case DomainKind::cpu:
      case DomainKind::gpu:
      case DomainKind::ane:
        domain.parent = soc ? soc : psys;
        break;
      case DomainKind::package:
      case DomainKind::dram:
      case DomainKind::soc:
        domain.parent = psys;
        break;
      case DomainKind::psys:
      case DomainKind::other:
        domain.parent.reset();
        break;
    }
  }
}

}  // namespace enprof
