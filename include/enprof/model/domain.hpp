// Power domains: what a sensor's energy belongs to, and which domains contain which.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class DomainKind : std::uint8_t {
  psys,     ///< the whole platform; contains all that follows but `other`
  module,   ///< a superchip: a CPU and a GPU with their memory on one board (Grace Hopper)
  package,  ///< one CPU socket with its cores and uncore
  core,     ///< the cores of a package
  uncore,   ///< what a package has beside its cores (often an integrated GPU)
  dram,     ///< memory; not part of the package
  cpu,      ///< all CPUs, where a source does not tell sockets apart
  gpu,      ///< one GPU
  mig,      ///< an instance of a GPU that was split (NVIDIA's Multi-Instance GPU)
  ane,      ///< Apple's neural engine
  soc,      ///< Apple's chip: its cpu, gpu and ane
  other,    ///< anything else; contained in nothing
};
[[nodiscard]] ENPROF_API std::string_view to_string(DomainKind kind) noexcept;

/// What a sensor's value covers, where its domain's kind leaves that open: two sensors of one kind
/// may see more or less.
enum class DomainScope : std::uint8_t {
  by_kind,  ///< what the kind says
  slice,    ///< a MIG instance alone
  device,   ///< a GPU without the rest of the module that it is on
  board,    ///< a whole card: chip, memory, voltage regulators, fans
  module,   ///< a whole superchip
  machine,  ///< all that the machine draws, be it from its battery or from its power supply
  unclear,  ///< nobody knows; it may be part of another domain
};
[[nodiscard]] ENPROF_API std::string_view to_string(DomainScope scope) noexcept;

/// One energy domain of one run.
struct Domain {
  std::string name;  ///< unique in its run: psys, package-0, core-0, dram-1, cpu, gpu-0, …
  DomainKind kind = DomainKind::other;
  std::optional<int> socket;  ///< the socket or device number, where the name has one
  /// Index of the domain that contains this one, in the same list. Domains without one are the
  /// roots: disjoint, and the only ones that a total may add up.
  std::optional<std::size_t> parent;
  std::string source;                ///< the sensor's name: rapl, estimate, replay, …
  Method method = Method::measured;  ///< measured or estimated
  Nanoseconds period{0};             ///< usual length of a window
  /// Standard deviation of a window edge's time stamp: how long ago the value that was read came
  /// to be. A counter that steps every T and is read at a random instant has T/√12.
  Nanoseconds stamp_error{0};
  DomainScope scope = DomainScope::by_kind;
  std::string device;  ///< the hardware's own identifier, such as a GPU's UUID; may be empty

  [[nodiscard]] bool is_root() const { return !parent.has_value(); }
  friend bool operator==(const Domain&, const Domain&) = default;
};

/// A domain with kind and socket read off its name: "package-0" → package 0, "cpu" → cpu,
/// "mig-0-1" → an instance of GPU 0, "wall" → other; what stands before a colon is the source's,
/// "hwmon:package-0" → package 0. Everything else is left at its default.
[[nodiscard]] ENPROF_API Domain domain_from_name(std::string_view name);

/// Sets the parent of every domain from kinds, sockets and scopes. A domain whose container is
/// absent is a root. Call it again after the list has changed.
/// - The psys of the widest scope, the first among equals, contains all others: what a battery or a
///   power supply gives includes what RAPL calls the platform.
/// - Core and uncore lie in the package of their socket, else in the cpu; a MIG instance in its
/// GPU.
/// - A package lies in a cpu that is measured as well as it is. An estimate of all CPUs lies in the
///   first package that is measured.
/// - A GPU lies in the module of its own number and source; package, dram and cpu in that of their
///   number, a cpu without one in the first: it is all CPUs.
/// - package, core, uncore, dram, cpu and ane of one number are the same hardware, whichever source
///   reads it: the first that is measured, else the first, stands for it, and the others lie in it:
///   they are shown, and never added up. GPUs of two sources are two: each numbers its own maker's.
/// - cpu, gpu and ane lie in the soc of their source.
/// - `other` is contained in nothing, unless its scope is unclear: such a one lies in the psys,
/// else
///   in the first root, so that nothing is added up twice.
ENPROF_API void link_parents(std::vector<Domain>& domains);

}  // namespace enprof
