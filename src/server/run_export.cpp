#include "server/run_export.hpp"

#include "base/choices.hpp"
#include "report/export_format.hpp"
#include "report/folded_stacks.hpp"
#include "report/run_archive.hpp"
#include "report/run_csv.hpp"
#include "server/existing_run.hpp"
#include "server/problem.hpp"
#include "server/query_parameters.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr std::string_view kCsv = "csv";

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

std::vector<std::string_view> format_names() {
  std::vector<std::string_view> names;
  for (const ExportFormat& format : export_formats()) {
    names.push_back(format.name);
  }
  names.insert(names.begin() + 1, kCsv);
  return names;
}

/// ?weight=; energy if absent. `format` is null for CSV.
Result<StackWeight> weight_of(const HttpRequest& request, const ExportFormat* format) {
  constexpr std::array<std::string_view, 2> kWeights{"energy", "time"};
  if (request.query.contains("weight") && (format == nullptr || !format->has_weight)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("weight={} needs format=folded", request.parameter("weight")),
                "Other formats have time and energy.");
  }
  const auto chosen = choice(request, "weight", kWeights);
  if (!chosen) {
    return std::unexpected(chosen.error());
  }
  return *chosen == 1 ? StackWeight::time : StackWeight::energy;
}

}  // namespace

HttpResponse export_run(ProfileDatabase& store, const std::string& id, const HttpRequest& request) {
  const std::string_view format_name = request.parameter("format");
  const std::string_view table = request.parameter("table");
  const bool is_csv = format_name == kCsv;
  const ExportFormat* const format =
      request.query.contains("format") ? export_format(format_name) : &export_formats().front();
  if (format == nullptr && !is_csv) {
    return problem({ErrorCode::invalid_argument,
                    fmt::format("There is no export format '{}'", format_name),
                    say_choices(format_name, format_names())});
  }
  const auto names = csv_table_names();
  if (request.query.contains("table") &&
      (!is_csv || std::ranges::find(names, table) == names.end())) {
    return problem({ErrorCode::invalid_argument,
                    is_csv ? fmt::format("There is no table '{}'", table)
                           : fmt::format("table={} needs format=csv", table),
                    "With format=csv: " + say_choices(table, names)});
  }
  const auto weight = weight_of(request, format);
  if (!weight) {
    return problem(weight.error());
  }
  auto run = existing_run(store, id);
  if (!run) {
    return problem(run.error());
  }
  const std::string stem = file_stem(id);  // an id may contain any character, a header may not
  HttpResponse response;
  if (!is_csv) {
    if (format->has_weight) {
      if (const auto known = check_weight((*run)->head(), *weight); !known) {
        return problem(known.error());
      }
    }
    response.content_type = format->content_type;
    response.stream = format->write(*std::move(run), *weight);
    set_file_name(response, fmt::format("enprof-{}.{}", stem, format->ending));
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
