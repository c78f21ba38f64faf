#include "server/run_export.hpp"

#include "base/choices.hpp"
#include "report/run_archive.hpp"
#include "report/run_csv.hpp"
#include "report/run_json.hpp"
#include "server/existing_run.hpp"
#include "server/problem.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

void set_file_name(HttpResponse& response, const std::string& name) {
  response.headers.emplace_back("Content-Disposition",
                                fmt::format("attachment; filename=\"{}\"", name));
}

/// One table of a run.
class TableOfRun final : public TextStream {
 public:
  TableOfRun(std::unique_ptr<RunSource> run, std::string_view table)
      : run_(std::move(run)), csv_(*run_, table) {}

  Result<bool> next(std::string& text) override { return csv_.next(text); }

 private:
  std::unique_ptr<RunSource> run_;
  RunCsv csv_;
};

}  // namespace

HttpResponse export_run(ProfileDatabase& store, const std::string& id, const HttpRequest& request) {
  constexpr std::array<std::string_view, 2> kFormats{"json", "csv"};
  const std::string_view format = request.parameter("format");
  const std::string_view table = request.parameter("table");
  const bool is_csv = format == "csv";
  if (request.query.contains("format") && std::ranges::find(kFormats, format) == kFormats.end()) {
    return problem({ErrorCode::invalid_argument,
                    fmt::format("There is no export format '{}'", format),
                    say_choices(format, kFormats)});
  }
  const auto names = csv_table_names();
  if (request.query.contains("table") &&
      (!is_csv || std::ranges::find(names, table) == names.end())) {
    return problem({ErrorCode::invalid_argument,
                    is_csv ? fmt::format("There is no table '{}'", table)
                           : fmt::format("table={} needs format=csv", table),
                    "With format=csv: " + say_choices(table, names)});
  }
  auto run = existing_run(store, id);
  if (!run) {
    return problem(run.error());
  }
  const std::string stem = file_stem(id);  // an id may contain any character, a header may not
  HttpResponse response;
  if (!is_csv) {
    response.stream = std::make_unique<RunJson>(*std::move(run));
    set_file_name(response, fmt::format("enprof-{}.json", stem));
  } else if (table.empty()) {
    response.content_type = "application/zip";
    response.stream = std::make_unique<RunArchive>(*std::move(run));
    set_file_name(response, fmt::format("enprof-{}-csv.zip", stem));
  } else {
    response.content_type = "text/csv; charset=utf-8";
    response.stream = std::make_unique<TableOfRun>(*std::move(run), table);
    set_file_name(response, fmt::format("enprof-{}-{}.csv", stem, table));
  }
  return response;
}

}  // namespace enprof
