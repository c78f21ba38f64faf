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
  psys,     ///< the whole platform; contains packages, dram, cpu, gpu and ane
  package,  ///< one CPU socket with its cores and uncore
  core,     ///< the cores of a package
  uncore,   ///< what a package has beside its cores (often an integrated GPU)
  dram,     ///< memory; not part of the package
  cpu,      ///< all CPUs, where a source does not tell sockets apart
  gpu,      ///< one GPU
  ane,      ///< Apple's neural engine
  other,    ///< anything else; contained in nothing
};
[[nodiscard]] ENPROF_API std::string_view to_string(DomainKind kind) noexcept;

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

  [[nodiscard]] bool is_root() const { return !parent.has_value(); }
  friend bool operator==(const Domain&, const Domain&) = default;
};

/// A domain with kind and socket read off its name: "package-0" → package 0, "cpu" → cpu,
/// "wall" → other; what stands before a colon is the source's, "hwmon:package-0" → package 0.
/// Everything else is left at its default.
[[nodiscard]] ENPROF_API Domain domain_from_name(std::string_view name);

/// Sets the parent of every domain from kinds and sockets: core and uncore lie in the package of
/// their socket; package lies in cpu; package, cpu, dram, gpu and ane lie in psys. A domain whose
/// container is absent is a root. Call it again after the list has changed.
///
/// Where several sources measure the same thing, that is, where kind and number are the same, one
/// stands for it: the first that is measured, else the first. The others lie in it, and so are no
/// roots: they are shown, and never added up. An estimate of all CPUs lies in the first package
/// that is measured. GPUs are an exception: sources number their own makers' devices, so that two
/// of one number are two GPUs. So are others.
ENPROF_API void link_parents(std::vector<Domain>& domains);

}  // namespace enprof
