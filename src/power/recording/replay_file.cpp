#include "power/recording/replay_file.hpp"

#include "base/json_node.hpp"
#include "base/json_text.hpp"
#include "base/named_pipe.hpp"
#include "base/text_encoding.hpp"
#include "model/enum_from_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace enprof {
namespace {

using Json = nlohmann::json;

constexpr const char* kExample =
    R"(Each line is a sensor reading, as in {"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000})";
/// A century: where nanoseconds overflow is far.
constexpr double kLatestMs = 3e12;
/// A terawatt-hour.
constexpr double kMostMj = 3.6e18;
/// What the windows' field holds.
constexpr double kMostStampErrorMs = 4294.0;
constexpr std::size_t kMostDomains = 4096;
/// This many bytes are enough to find the encoding; a multiple of every unit.
constexpr std::size_t kLookedAt = 4096;

/// What is wrong with a line, without where it is.
using Complaint = std::unexpected<std::string>;

std::string domain_name(const JsonNode& node) {
  std::string name = node.text();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (name.empty() || std::ranges::any_of(name, is_control)) {
    node.is_not("a name");
  }
  return name;
}

/// Reads line after line.
class Parser {
 public:
  std::expected<void, std::string> add(std::string_view text) {
    Json line;
    try {
      line = Json::parse(text);
    } catch (const Json::parse_error& error) {
      return Complaint(
          fmt::format("column {}: this is not JSON", std::max<std::size_t>(1, error.byte)));
    } catch (const Json::exception& error) {  // a number out of range
      return Complaint(std::string{without_exception_name(error.what())});
    }
    try {
      return add(JsonNode(line, "the window"));
    } catch (const JsonError& wrong) {
      return Complaint(wrong.what());
    }
  }

  [[nodiscard]] bool empty() const { return file_.windows.empty(); }

  ReplayFile finish() && {
    std::ranges::stable_sort(file_.windows, {}, &ReplayWindow::begin);
    std::vector<Nanoseconds> covered(file_.domains.size());
    std::vector<Nanoseconds::rep> count(file_.domains.size());
    for (const ReplayWindow& window : file_.windows) {
      covered[window.domain] += window.end - window.begin;
      ++count[window.domain];
    }
    for (std::size_t index = 0; index < file_.domains.size(); ++index) {
      file_.domains[index].period = covered[index] / count[index];
    }
    link_parents(file_.domains);
    return std::move(file_);
  }

 private:
  std::expected<void, std::string> add(const JsonNode& line) {
    const std::string name = domain_name(line.at("domain"));
    const JsonNode stamp_error = line.at("stamp_error_ms");
    const double stamp_error_ms =
        stamp_error.absent() ? 0.0 : stamp_error.number(0.0, kMostStampErrorMs);
    const JsonNode unseen = line.at("unseen_permille");
    const auto added =
        add(name, {.begin = from_ms(line.at("begin_ms").number(0.0, kLatestMs)),
                   .end = from_ms(line.at("end_ms").number(0.0, kLatestMs)),
                   .energy = from_mj(line.at("energy_mj").number(0.0, kMostMj)),
                   .stamp_error_ns = static_cast<std::uint32_t>(from_ms(stamp_error_ms).count()),
                   .unseen_permille =
                       unseen.absent() ? std::uint16_t{0} : unseen.whole<std::uint16_t>(0, 1000)});
    return added ? say(name, line) : added;
  }

  std::expected<void, std::string> add(const std::string& name, ReplayWindow window) {
    if (window.end <= window.begin) {
      return Complaint(fmt::format("the window ends at {} ms, not after its begin at {} ms",
                                   to_ms(window.end), to_ms(window.begin)));
    }
    const auto [known, is_new] =
        indices_.try_emplace(name, static_cast<std::uint16_t>(file_.domains.size()));
    window.domain = known->second;
    if (is_new) {
      if (file_.domains.size() >= kMostDomains) {
        return Complaint(fmt::format("more than {} domains", kMostDomains));
      }
      Domain domain = domain_from_name(name);
      domain.source = "replay";
      file_.domains.push_back(std::move(domain));
      said_.emplace_back();
      ends_.emplace_back(0);
    }
    if (window.begin < ends_[window.domain]) {
      return Complaint(
          fmt::format("the window begins at {} ms, before the one of {} before it ends "
                      "at {} ms",
                      to_ms(window.begin), name, to_ms(ends_[window.domain])));
    }
    ends_[window.domain] = window.end;
    file_.windows.push_back(window);
    return {};
  }

  /// What a line says of its domain beside its name.
  std::expected<void, std::string> say(const std::string& name, const JsonNode& line) {
    const auto method = line.at("method").optional([](const JsonNode& node) {
      return enum_from_json(node, {Method::measured, Method::estimated});
    });
    const auto scope = line.at("scope").optional(
        [](const JsonNode& node) { return enum_from_json<DomainScope>(node); });
    const auto uncertainty = line.at("relative_uncertainty").optional([](const JsonNode& node) {
      return node.number(0.0, 1.0);
    });
    const std::size_t index = indices_.at(name);
    const auto shown = [](const auto& value) {
      if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(value)>>) {
        return to_string(value);
      } else {
        return value;
      }
    };
    const auto take = [&](auto& said, const auto& value,
                          auto& into) -> std::expected<void, std::string> {
      if (value && said && *said != *value) {
        return Complaint(fmt::format("{} is {} here, but {} in an earlier line", name,
                                     shown(*value), shown(*said)));
      }
      if (value) {
        const auto known = *value;
        said = known;
        into = known;
      }
      return {};
    };
    Domain& domain = file_.domains[index];
    auto taken = take(said_[index].method, method, domain.method);
    taken = taken ? take(said_[index].scope, scope, domain.scope) : taken;
    return taken ? take(said_[index].uncertainty, uncertainty, domain.relative_uncertainty) : taken;
  }

  struct Said {
    std::optional<Method> method;
    std::optional<DomainScope> scope;
    std::optional<double> uncertainty;
  };

  ReplayFile file_;
  std::map<std::string, std::uint16_t> indices_;
  std::vector<Said> said_;         // of each domain
  std::vector<Nanoseconds> ends_;  // of the last window, by domain
};

}  // namespace

Result<ReplayFile> parse_replay(std::istream& in, std::string_view name) {
  Parser parser;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::string_view text = number == 1 ? without_byte_order_mark(line) : line;
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || text[first] == '#') {
      continue;
    }
    if (const auto added = parser.add(text); !added) {
      return fail(ErrorCode::malformed, fmt::format("{}, line {}: {}", name, number, added.error()),
                  kExample);
    }
  }
  if (in.bad()) {
    return fail(ErrorCode::io, fmt::format("{} cannot be read to its end", name));
  }
  if (parser.empty()) {
    return fail(ErrorCode::malformed, fmt::format("{} contains no sensor readings", name),
                kExample);
  }
  return std::move(parser).finish();
}

Result<ReplayFile> read_replay_file(const std::filesystem::path& path) {
  const auto refuse = [&](int error_number) {
    return fail(error_code_from_errno(error_number),
                fmt::format("Cannot read power from {}: {}", path.string(),
                            std::generic_category().message(error_number)),
                "Name a file that `enprof run --record-power FILE` wrote, and that you may read.");
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return refuse(EISDIR);
  }
  if (auto pipe = refuse_named_pipe(path); !pipe) {
    return std::unexpected(std::move(pipe.error()));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return refuse(errno != 0 ? errno : EIO);
  }
  if (std::filesystem::is_regular_file(path, ignored)) {  // a pipe cannot be read twice
    std::string head(kLookedAt, '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(in.gcount()));
    if (const auto encoding = wide_encoding(head)) {
      return fail(ErrorCode::malformed,
                  fmt::format("{} is not UTF-8, but {}", path.string(), iconv_name(*encoding)),
                  fmt::format("Convert it first: {} > replay.jsonl",
                              conversion_command(iconv_name(*encoding), path.string())));
    }
    in.clear();
    in.seekg(0);
  }
  return parse_replay(in, path.string());
}

std::string replay_line(const Domain& domain, const ReplayWindow& window) {
  // fmt prints a double with as many digits as it takes to read the same one back.
  std::string line =
      fmt::format(R"({{"domain":{},"begin_ms":{},"end_ms":{},"energy_mj":{})",
                  Json(domain.name).dump(-1, ' ', false, Json::error_handler_t::replace),
                  to_ms(window.begin), to_ms(window.end), to_mj(window.energy));
  if (window.stamp_error_ns > 0) {
    line += fmt::format(R"(,"stamp_error_ms":{})", to_ms(Nanoseconds{window.stamp_error_ns}));
  }
  if (window.unseen_permille > 0) {
    line += fmt::format(R"(,"unseen_permille":{})", window.unseen_permille);
  }
  if (domain.method != Method::measured) {
    line += fmt::format(R"(,"method":"{}")", to_string(domain.method));
  }
  if (domain.scope != DomainScope::by_kind) {
    line += fmt::format(R"(,"scope":"{}")", to_string(domain.scope));
  }
  if (domain.relative_uncertainty) {
    line += fmt::format(R"(,"relative_uncertainty":{})", *domain.relative_uncertainty);
  }
  return line + "}\n";
}

}  // namespace enprof
