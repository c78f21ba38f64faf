#include "power/counter/counter_file.hpp"

#include <utility>

namespace enprof {

Result<std::uint64_t> CounterFile::read() {
  if (file_) {
    auto value = file_->read_number();
    // After other errors the file exists, and a new descriptor would give the same error.
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
  if (point_) {
    point_->open(path_);
  }
  return file_->read_number();
}

std::shared_ptr<const CounterPoint> CounterFile::point() {
  if (!point_) {
    point_ = std::make_shared<CounterFilePoint>();
    point_->open(path_);
  }
  return point_;
}

}  // namespace enprof
