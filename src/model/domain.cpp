#include "enprof/model/domain.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace enprof {
namespace {

/// All of them, in the order of their values.
constexpr std::array kKinds{DomainKind::psys, DomainKind::module, DomainKind::package,
                            DomainKind::core, DomainKind::uncore, DomainKind::dram,
                            DomainKind::cpu,  DomainKind::gpu,    DomainKind::mig,
                            DomainKind::ane,  DomainKind::soc,    DomainKind::other};
static_assert(kKinds.size() == static_cast<std::size_t>(DomainKind::other) + 1);

using Index = std::optional<std::size_t>;

/// Of several domains that may contain others, the first that is measured, else the first.
template <class Condition>
Index find_if(const std::vector<Domain>& domains, const Condition& condition) {
  Index estimated;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (domains[index].scope == DomainScope::unclear || !condition(domains[index])) {
      continue;
    }
    if (domains[index].method != Method::estimated) {
      return index;
    }
    estimated = estimated.value_or(index);
  }
  return estimated;
}

Index find(const std::vector<Domain>& domains, DomainKind kind,
           std::optional<int> socket = std::nullopt) {
  return find_if(domains, [&](const Domain& domain) {
    return domain.kind == kind && (!socket || domain.socket == socket);
  });
}

bool is_measured(const std::vector<Domain>& domains, Index index) {
  return index && domains[*index].method != Method::estimated;
}

/// The psys that contains the others: one that sees the machine, else the first.
Index find_platform(const std::vector<Domain>& domains) {
  const Index machine = find_if(domains, [](const Domain& domain) {
    return domain.kind == DomainKind::psys && domain.scope == DomainScope::machine;
  });
  return machine ? machine : find(domains, DomainKind::psys);
}

/// The module that holds a CPU, its memory or a GPU. NVML numbers modules by their GPU; GPUs of
/// other sources are on none of them.
Index find_module(const std::vector<Domain>& domains, const Domain& part) {
  if (!part.socket) {
    return part.kind == DomainKind::gpu ? Index{} : find(domains, DomainKind::module);
  }
  return find_if(domains, [&](const Domain& domain) {
    return domain.kind == DomainKind::module && domain.socket == part.socket &&
           (part.kind != DomainKind::gpu || domain.source == part.source);
  });
}

/// The GPU that an instance is a part of: each source numbers its own.
Index find_gpu(const std::vector<Domain>& domains, const Domain& part) {
  return find_if(domains, [&](const Domain& domain) {
    return domain.kind == DomainKind::gpu && domain.socket == part.socket &&
           domain.source == part.source;
  });
}

/// The chip that a part of it is on.
Index find_soc(const std::vector<Domain>& domains, const Domain& part) {
  return find_if(domains, [&](const Domain& domain) {
    return domain.kind == DomainKind::soc && domain.source == part.source;
  });
}

/// The package or module that a rail supplies.
Index find_supplied(const std::vector<Domain>& domains, const Domain& rail) {
  const auto holds_rails = [&](const Domain& domain) {
    return (domain.kind == DomainKind::package || domain.kind == DomainKind::module) &&
           domain.source == rail.source;
  };
  const Index same_number = find_if(domains, [&](const Domain& domain) {
    return holds_rails(domain) && rail.socket && domain.socket == rail.socket;
  });
  return same_number ? same_number : find_if(domains, holds_rails);
}

/// The domain that stands for the same hardware, where it is another one.
Index find_twin(const std::vector<Domain>& domains, std::size_t index) {
  const Domain& domain = domains[index];
  switch (domain.kind) {
    case DomainKind::package:
    case DomainKind::core:
    case DomainKind::uncore:
    case DomainKind::dram:
    case DomainKind::cpu:
    case DomainKind::ane: {
      const Index first = find_if(domains, [&](const Domain& other) {
        return other.kind == domain.kind && other.socket == domain.socket;
      });
      return first != index ? first : Index{};
    }
    case DomainKind::psys:    // the platform contains the others
    case DomainKind::module:  // these are numbered by each source for itself
    case DomainKind::gpu:
    case DomainKind::mig:  // several of one GPU
    case DomainKind::soc:
    case DomainKind::other:
      break;
  }
  return std::nullopt;
}

/// What contains a domain beside the platform.
Index container_of(const std::vector<Domain>& domains, std::size_t index) {
  const Domain& domain = domains[index];
  Index container;
  switch (domain.kind) {
    case DomainKind::core:
    case DomainKind::uncore:
      container = find(domains, DomainKind::package, domain.socket);
      return container ? container : find(domains, DomainKind::cpu);
    case DomainKind::package:
      container = find(domains, DomainKind::cpu);
      return container && is_measured(domains, container) >= is_measured(domains, index)
                 ? container
                 : find_module(domains, domain);
    case DomainKind::cpu:
      container = find(domains, DomainKind::package);
      if (is_measured(domains, container) && !is_measured(domains, index)) {
        return container;
      }
      container = find_soc(domains, domain);
      return container ? container : find_module(domains, domain);
    case DomainKind::gpu:
      container = find_soc(domains, domain);
      return container ? container : find_module(domains, domain);
    case DomainKind::dram:
      return find_module(domains, domain);
    case DomainKind::ane:
      return find_soc(domains, domain);
    case DomainKind::mig:
      return find_gpu(domains, domain);
    case DomainKind::other:
      return domain.scope == DomainScope::rail ? find_supplied(domains, domain) : Index{};
    case DomainKind::psys:
    case DomainKind::module:
    case DomainKind::soc:
      break;
  }
  return std::nullopt;
}

Index parent_of(const std::vector<Domain>& domains, std::size_t index, Index platform) {
  const Domain& domain = domains[index];
  if (platform == index || (domain.kind == DomainKind::other && domain.scope != DomainScope::rail &&
                            domain.scope != DomainScope::unclear)) {
    return std::nullopt;
  }
  Index parent = find_twin(domains, index);
  if (!parent) {
    parent = container_of(domains, index);
  }
  return parent ? parent : platform;
}

}  // namespace

std::string_view to_string(DomainKind kind) noexcept {
  switch (kind) {
    case DomainKind::psys:
      return "psys";
    case DomainKind::module:
      return "module";
    case DomainKind::package:
      return "package";
    case DomainKind::core:
      return "core";
    case DomainKind::uncore:
      return "uncore";
    case DomainKind::dram:
      return "dram";
    case DomainKind::cpu:
      return "cpu";
    case DomainKind::gpu:
      return "gpu";
    case DomainKind::mig:
      return "mig";
    case DomainKind::ane:
      return "ane";
    case DomainKind::soc:
      return "soc";
    case DomainKind::other:
      break;
  }
  return "other";
}

std::string_view to_string(DomainScope scope) noexcept {
  switch (scope) {
    case DomainScope::by_kind:
      return "by_kind";
    case DomainScope::slice:
      return "slice";
    case DomainScope::device:
      return "device";
    case DomainScope::board:
      return "board";
    case DomainScope::module:
      return "module";
    case DomainScope::machine:
      return "machine";
    case DomainScope::unclear:
      return "unclear";
    case DomainScope::rail:
      return "rail";
  }
  return "unknown";
}

Domain domain_from_name(std::string_view name) {
  Domain domain;
  domain.name = name;
  std::string_view stem = name;
  // A second domain of one name has its source before it.
  if (const auto colon = stem.rfind(':'); colon != std::string_view::npos) {
    stem.remove_prefix(colon + 1);
  }
  const auto take_number = [&]() -> std::optional<int> {
    const auto dash = stem.rfind('-');
    if (dash == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view digits = stem.substr(dash + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size() || number < 0) {
      return std::nullopt;
    }
    stem = stem.substr(0, dash);
    return number;
  };
  domain.socket = take_number();
  if (stem.starts_with("mig-")) {  // of two numbers, the first is the GPU's
    domain.socket = take_number();
  }
  const auto* const kind =
      std::ranges::find(kKinds, stem, [](DomainKind known) { return to_string(known); });
  if (kind == kKinds.end()) {
    domain.socket.reset();
    return domain;
  }
  domain.kind = *kind;
  return domain;
}

void link_parents(std::vector<Domain>& domains) {
  const Index platform = find_platform(domains);
  for (std::size_t index = 0; index < domains.size(); ++index) {
    domains[index].parent = parent_of(domains, index, platform);
  }
  // What may be part of another domain is not added to it; where there is nothing else, the first
  // stands alone.
  const auto is_root = [](const Domain& domain) { return domain.is_root(); };
  const auto is_clear_root = [](const Domain& domain) {
    return domain.is_root() && domain.scope != DomainScope::unclear;
  };
  auto root = std::ranges::find_if(domains, is_clear_root);
  if (root == domains.end()) {
    root = std::ranges::find_if(domains, is_root);
  }
  for (auto domain = domains.begin(); domain != domains.end(); ++domain) {
    if (domain != root && domain->is_root() && domain->scope == DomainScope::unclear) {
      domain->parent = static_cast<std::size_t>(root - domains.begin());
    }
  }
}

}  // namespace enprof
