#include "enprof/model/domain.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 9> kKinds{"psys", "package", "core", "uncore", "dram",
                                                 "cpu",  "gpu",     "ane",  "other"};

/// Of several domains the first that is measured, else the first.
template <class Condition>
std::optional<std::size_t> find_if(const std::vector<Domain>& domains, const Condition& condition) {
  std::optional<std::size_t> estimated;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (!condition(domains[index])) {
      continue;
    }
    if (domains[index].method != Method::estimated) {
      return index;
    }
    estimated = estimated.value_or(index);
  }
  return estimated;
}

std::optional<std::size_t> find(const std::vector<Domain>& domains, DomainKind kind,
                                std::optional<int> socket = std::nullopt) {
  return find_if(domains, [&](const Domain& domain) {
    return domain.kind == kind && (!socket || domain.socket == socket);
  });
}

bool is_measured(const std::vector<Domain>& domains, std::optional<std::size_t> index) {
  return index && domains[*index].method != Method::estimated;
}

/// What contains a domain that stands for its kind.
std::optional<std::size_t> container_of(const std::vector<Domain>& domains, std::size_t index) {
  const Domain& domain = domains[index];
  const auto psys = find(domains, DomainKind::psys);
  switch (domain.kind) {
    case DomainKind::core:
    case DomainKind::uncore: {
      if (const auto package = find(domains, DomainKind::package, domain.socket)) {
        return package;
      }
      const auto cpu = find(domains, DomainKind::cpu);
      return cpu ? cpu : psys;
    }
    case DomainKind::package: {
      const auto cpu = find(domains, DomainKind::cpu);
      return cpu && is_measured(domains, cpu) >= is_measured(domains, index) ? cpu : psys;
    }
    case DomainKind::cpu: {
      const auto package = find(domains, DomainKind::package);
      return is_measured(domains, package) && !is_measured(domains, index) ? package : psys;
    }
    case DomainKind::dram:
    case DomainKind::gpu:
    case DomainKind::ane:
      return psys;
    case DomainKind::psys:
    case DomainKind::other:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(DomainKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kKinds.size() ? kKinds[index] : std::string_view{"other"};
}

Domain domain_from_name(std::string_view name) {
  Domain domain;
  domain.name = name;
  if (const auto colon = name.rfind(':'); colon != std::string_view::npos) {
    name.remove_prefix(colon + 1);
  }
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
  for (std::size_t index = 0; index < domains.size(); ++index) {
    Domain& domain = domains[index];
    std::optional<std::size_t> first = index;
    if (domain.kind != DomainKind::gpu && domain.kind != DomainKind::other) {
      first = find_if(domains, [&](const Domain& other) {
        return other.kind == domain.kind && other.socket == domain.socket;
      });
    }
    domain.parent = first != index ? first : container_of(domains, index);
  }
}

}  // namespace enprof
