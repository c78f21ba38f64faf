#include "server/compared_runs.hpp"

#include "report/run_json.hpp"
#include "server/existing_run.hpp"

namespace enprof {

Result<bool> ComparedRuns::next(std::string& text) {
  const auto run =
      existing_run(store_, ids_[next_],
                   {.tokens = false, .operations = false, .values = false, .power_samples = false});
  if (!run) {
    return std::unexpected(run.error());
  }
  text += next_ == 0 ? "{\"runs\":[" : ",";
  text += run_sums_to_json(*run);
  const bool more = ++next_ < ids_.size();
  if (!more) {
    text += "]}\n";
  }
  return more;
}

}  // namespace enprof
