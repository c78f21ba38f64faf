#include "report/run_archive.hpp"

#include "report/run_csv.hpp"

#include <fmt/format.h>

#include <archive.h>
#include <archive_entry.h>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace enprof {
namespace {

struct FreeArchive {
  void operator()(archive* value) const { archive_write_free(value); }
  void operator()(archive_entry* value) const { archive_entry_free(value); }
};

class Writer {
 public:
  explicit Writer(UnnamedFile& file) : file_(file), archive_(archive_write_new()) {}

  Result<void> write(const ProfiledRun& run) {
    archive* const zip = archive_.get();
    check(archive_write_set_format_zip(zip));
    check(archive_write_set_bytes_in_last_block(zip, 1));  // no padding
    check(archive_write_open(zip, this, nullptr, &Writer::take, nullptr));
    for (const std::string_view name : csv_table_names()) {
      add(run, name);
    }
    check(archive_write_close(zip));
    return result_;
  }

 private:
  /// What cannot be written is swallowed and told at the end: libarchive 3.6 leaks its compressor
  /// where an entry is left unfinished, as it must be after a failed write.
  static la_ssize_t take(archive* /*zip*/, void* writer, const void* bytes, std::size_t size) {
    auto& self = *static_cast<Writer*>(writer);
    if (self.result_) {
      self.result_ = self.file_.append({static_cast<const char*>(bytes), size});
    }
    return static_cast<la_ssize_t>(size);
  }

  void add(const ProfiledRun& run, std::string_view name) {
    if (!result_) {
      return;
    }
    const std::unique_ptr<archive_entry, FreeArchive> entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), fmt::format("{}.csv", name).c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(
        entry.get(),
        std::chrono::floor<std::chrono::seconds>(run.started_at).time_since_epoch().count(), 0);
    check(archive_write_header(archive_.get(), entry.get()));
    static_cast<void>(write_csv_table(run, name, [this](std::string_view text) {
      if (result_ && archive_write_data(archive_.get(), text.data(), text.size()) < 0) {
        fail_now();
      }
    }));
    check(archive_write_finish_entry(archive_.get()));
  }

  void check(int status) {
    if (result_ && status < ARCHIVE_WARN) {
      fail_now();
    }
  }

  void fail_now() {
    const char* const why = archive_error_string(archive_.get());
    result_ = fail(ErrorCode::internal, fmt::format("The ZIP file cannot be made: {}",
                                                    why == nullptr ? "no reason is given" : why));
  }

  UnnamedFile& file_;
  std::unique_ptr<archive, FreeArchive> archive_;
  Result<void> result_;
};

}  // namespace

Result<void> write_csv_archive(const ProfiledRun& run, UnnamedFile& file) {
  return Writer(file).write(run);
}

}  // namespace enprof
