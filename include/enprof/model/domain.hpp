// Power domains: the parts of a machine whose energy a sensor measures, and which contain which.
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
  psys,     ///< the whole platform; contains all kinds below except `other`
  module,   ///< a superchip: a CPU and a GPU with their memory on one board (Grace Hopper)
  package,  ///< one CPU socket with its cores and uncore
  core,     ///< the cores of a package
  uncore,   ///< a package without its cores (often an integrated GPU)
  dram,     ///< memory; not part of the package
  cpu,      ///< all CPUs, if a source does not distinguish sockets
  gpu,      ///< one GPU
  mig,      ///< an instance of a GPU that was split (NVIDIA's Multi-Instance GPU)
  ane,      ///< Apple's neural engine
  soc,      ///< Apple's chip: its cpu, gpu and ane
  other,    ///< anything else; contained in nothing
};
[[nodiscard]] ENPROF_API std::string_view to_string(DomainKind kind) noexcept;

/// What a sensor's value covers, if the domain's kind does not say it: two sensors of one kind may
/// cover different things.
enum class DomainScope : std::uint8_t {
  by_kind,  ///< as the kind says
  slice,    ///< only a MIG instance
  device,   ///< a GPU without the rest of its module
  board,    ///< a whole card: chip, memory, voltage regulators, fans
  module,   ///< a whole superchip
  machine,  ///< all that the machine draws, be it from its battery or from its power supply
  unclear,  ///< not known; it may be part of another domain, or its values cannot be trusted
  rail,     ///< a supply rail that lies in a package, module or platform which its source measures
};  // journals hold the numbers: a new one comes last
[[nodiscard]] ENPROF_API std::string_view to_string(DomainScope scope) noexcept;

/// One energy domain of one run.
struct Domain {
  std::string name;  ///< unique in its run: psys, package-0, core-0, dram-1, cpu, gpu-0, …
  DomainKind kind = DomainKind::other;
  std::optional<int> socket;  ///< the socket or device number, if the name has one
  /// Index of the domain that contains this one, in the same list. Domains without a parent are the
  /// roots: they are disjoint, and only they may be added up to a total.
  std::optional<std::size_t> parent;
  std::string source;                ///< the sensor's name: rapl, estimate, replay, …
  Method method = Method::measured;  ///< measured or estimated
  Nanoseconds period{0};             ///< usual length of a window
  /// Standard deviation of the time stamp of a window's edge: the value that was read may be older
  /// than the reading. A counter that steps every T and is read at a random instant has T/√12.
  Nanoseconds stamp_error{0};
  DomainScope scope = DomainScope::by_kind;
  std::string device;  ///< the hardware's own identifier, such as a GPU's UUID; may be empty
  /// Standard uncertainty of the sensor's scale, as a share of the energy that it says (type B of
  /// JCGM 100: of its calibration, not of its noise). Empty: not known.
  std::optional<double> relative_uncertainty{};

  [[nodiscard]] bool is_root() const { return !parent.has_value(); }
  friend bool operator==(const Domain&, const Domain&) = default;
};

/// A domain with kind and socket from its name: "package-0" → package 0, "cpu" → cpu, "mig-0-1" →
/// an instance of GPU 0, "wall" → other. A prefix with a colon names the source: "hwmon:package-0"
/// → package 0. All other members keep their defaults.
[[nodiscard]] ENPROF_API Domain domain_from_name(std::string_view name);

/// Sets the parent of every domain from kinds, sockets and scopes. A domain whose container is not
/// in the list is a root. Call it again when the list has changed.
/// - The psys with the widest scope (the first of several) contains all others: the value of a
///   battery or a power supply includes what RAPL calls the platform.
/// - Core and uncore lie in the package of their socket, else in the cpu; a MIG instance lies in
///   its GPU.
/// - A package lies in a cpu, unless only the package is measured. An estimate of all CPUs lies in
///   the first measured package.
/// - A GPU lies in the module of its own number and source; package, dram and cpu lie in the module
///   of their number, and a cpu without a number (all CPUs) in the first module.
/// - package, core, uncore, dram, cpu and ane of one number are the same hardware in all sources.
///   The first measured one, else the first one, counts; the others lie in it: they are shown, but
///   never added up. GPUs of two sources are different GPUs: each source numbers those of its
///   maker.
/// - cpu, gpu and ane lie in the soc of their source.
/// - `other` lies in no domain, unless its scope is unclear: then it lies in the psys, else in the
///   first root, so that nothing is counted twice.
ENPROF_API void link_parents(std::vector<Domain>& domains);

}  // namespace enprof
