#include "report/gzip.hpp"

#include <fmt/format.h>

#include <archive.h>
#include <archive_entry.h>
#include <cstddef>
#include <memory>

namespace enprof {
namespace {

struct FreeArchive {
  void operator()(archive* value) const { archive_write_free(value); }
  void operator()(archive_entry* value) const { archive_entry_free(value); }
};

la_ssize_t append(archive* /*writer*/, void* bytes, const void* more, std::size_t size) {
  static_cast<std::string*>(bytes)->append(static_cast<const char*>(more), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

Result<std::string> gzip(std::string_view text) {
  std::string bytes;  // outlives the archive, which writes to it when it is freed
  const std::unique_ptr<archive, FreeArchive> writer{archive_write_new()};
  const std::unique_ptr<archive_entry, FreeArchive> entry{archive_entry_new()};
  archive* const gz = writer.get();
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  const auto is_done = [](la_ssize_t status) { return status >= ARCHIVE_WARN; };
  const bool done =
      is_done(archive_write_add_filter_gzip(gz)) &&
      is_done(archive_write_set_filter_option(gz, "gzip", "timestamp", nullptr)) &&
      is_done(archive_write_set_format_raw(gz)) &&
      is_done(archive_write_set_bytes_in_last_block(gz, 1)) &&  // no padding
      is_done(archive_write_open(gz, &bytes, nullptr, &append, nullptr)) &&
      is_done(archive_write_header(gz, entry.get())) &&
      archive_write_data(gz, text.data(), text.size()) == static_cast<la_ssize_t>(text.size()) &&
      is_done(archive_write_close(gz));
  if (!done) {
    const char* const why = archive_error_string(gz);
    return fail(ErrorCode::internal, fmt::format("Cannot compress with gzip: {}",
                                                 why == nullptr ? "no reason is given" : why));
  }
  return bytes;
}

}  // namespace enprof
