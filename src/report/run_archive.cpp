#include "report/run_archive.hpp"

#include "report/run_csv.hpp"

#include <fmt/format.h>

#include <archive.h>
#include <archive_entry.h>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

struct FreeArchive {
  void operator()(archive* value) const { archive_write_free(value); }
  void operator()(archive_entry* value) const { archive_entry_free(value); }
};

}  // namespace

class RunArchive::Impl {
 public:
  explicit Impl(std::unique_ptr<RunSource> source)
      : source_(std::move(source)), archive_(archive_write_new()) {
    archive* const zip = archive_.get();
    check(archive_write_set_format_zip(zip));
    check(archive_write_set_bytes_in_last_block(zip, 1));  // no padding
    check(archive_write_open(zip, this, nullptr, &Impl::append, nullptr));
  }

  Result<bool> next(std::string& text) {
    bool more = true;
    while (more && made_.size() < kPiece) {
      more = step();
      if (!result_) {
        return std::unexpected(result_.error());
      }
    }
    text += std::exchange(made_, {});
    return more;
  }

 private:
  /// Never fails: libarchive 3.6 leaks its compressor if an entry cannot be finished.
  static la_ssize_t append(archive* /*zip*/, void* self, const void* bytes, std::size_t size) {
    static_cast<Impl*>(self)->made_.append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  }

  /// Adds some rows; false when the file is complete.
  bool step() {
    const auto names = csv_table_names();
    if (!table_) {
      if (next_table_ == names.size()) {
        check(archive_write_close(archive_.get()));
        return false;
      }
      begin(names[next_table_++]);
    }
    std::string rows;
    const auto more = table_->next(rows);
    if (!more) {
      result_ = std::unexpected(more.error());
      return false;
    }
    if (archive_write_data(archive_.get(), rows.data(), rows.size()) < 0) {
      fail_now();
    }
    if (!*more) {
      check(archive_write_finish_entry(archive_.get()));
      table_.reset();
    }
    return true;
  }

  void begin(std::string_view name) {
    const std::unique_ptr<archive_entry, FreeArchive> entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), fmt::format("{}.csv", name).c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(),
                            std::chrono::floor<std::chrono::seconds>(source_->head().started_at)
                                .time_since_epoch()
                                .count(),
                            0);
    check(archive_write_header(archive_.get(), entry.get()));
    table_.emplace(*source_, name);
  }

  void check(int status) {
    if (result_ && status < ARCHIVE_WARN) {
      fail_now();
    }
  }

  void fail_now() {
    const char* const why = archive_error_string(archive_.get());
    result_ = fail(ErrorCode::internal, fmt::format("Cannot create the ZIP file: {}",
                                                    why == nullptr ? "no reason is given" : why));
  }

  std::unique_ptr<RunSource> source_;
  std::string made_;  // not returned yet
  std::optional<RunCsv> table_;
  std::size_t next_table_ = 0;
  Result<void> result_;
  std::unique_ptr<archive, FreeArchive> archive_;  // destroyed first, since closing it writes to
                                                   // the members above
};

RunArchive::RunArchive(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
RunArchive::~RunArchive() = default;

Result<bool> RunArchive::next(std::string& text) { return impl_->next(text); }

}  // namespace enprof
