#include "power/counter/counter_file.hpp"

#include <utility>

namespace enprof {

Result<std::uint64_t> CounterFile::read() {
  if (file_) {
    auto value = file_->read_number();
    // Else the file is there, and a new descriptor would say the same.
    if (value || value.error().code != ErrorCode::not_found) {
      return value;
    }
    file_.reset();
  }
  auto opened = PolledFile::open(path_);
  if (!opened) {
    return std::unexpected(std::move(opened.error()));
  }
  file_.emplace(std::move(*opened));
  return file_->read_number();
}

}  // namespace enprof
