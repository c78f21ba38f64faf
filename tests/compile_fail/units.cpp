// No case may compile; without a case the file must compile. CMake tries them all.
#include "enprof/base/units.hpp"

namespace enprof {

auto energy() { return Joules{1.0} + Watts{1.0} * std::chrono::seconds{1}; }

#if defined(CASE_WATTS_PLUS_JOULES)
auto wrong() { return Watts{1.0} + Joules{1.0}; }
#elif defined(CASE_JOULES_PLUS_NUMBER)
auto wrong() { return Joules{1.0} + 1.0; }
#elif defined(CASE_NUMBER_BECOMES_JOULES)
Joules wrong() { return 1.0; }
#elif defined(CASE_WATTS_BECOME_JOULES)
Joules wrong() { return Watts{1.0}; }
#elif defined(CASE_WATTS_TIMES_WATTS)
auto wrong() { return Watts{1.0} * Watts{1.0}; }
#elif defined(CASE_ENERGY_TIMES_TIME)
auto wrong() { return Joules{1.0} * std::chrono::seconds{1}; }
#elif defined(CASE_COMPARE_WATTS_WITH_JOULES)
auto wrong() { return Watts{1.0} < Joules{1.0}; }
#endif

}  // namespace enprof
