// A named pipe that is open for reading, but not read.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace enprof::testing {

/// A program that writes more to it than it holds (64 KiB or less) waits until read_to_end().
class Fifo {
 public:
  explicit Fifo(const std::filesystem::path& path) {
    if (::mkfifo(path.c_str(), 0600) == 0) {
      reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    if (reader_ < 0) {
      throw std::runtime_error("cannot make a pipe at " + path.string());
    }
  }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() { ::close(reader_); }

  /// Reads until all writers have closed it.
  void read_to_end() const {
    ::fcntl(reader_, F_SETFL, 0);
    std::array<char, 65536> piece{};
    while (::read(reader_, piece.data(), piece.size()) > 0) {
    }
  }

 private:
  int reader_ = -1;
};

}  // namespace enprof::testing
