#include "session/calibration_file.hpp"

#include "base/counted.hpp"
#include "base/json_node.hpp"
#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

using Json = nlohmann::ordered_json;

constexpr Logger kLog{"session"};
constexpr int kVersion = 1;
constexpr const char* kSuffix = ".json";
constexpr std::size_t kMostClasses = 100'000;
constexpr double kMostNumber = 1e15;
constexpr std::int64_t kMostTime = std::int64_t{1} << 52U;

/// A model's name as a part of a file's name.
std::string file_stem(std::string_view model) {
  constexpr std::size_t kLongest = 60;
  std::string stem;
  for (const char c : model.substr(0, kLongest)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    stem += plain ? c : '-';
  }
  return stem.empty() ? "model" : stem;
}

std::string key_text(const CalibrationKey& key) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", key.model, key.architecture,
                     key.quantization, key.parameters, key.weight_bytes, key.cpu, key.threads,
                     fmt::join(key.domains, "\n"));
}

/// FNV-1a, 64 bits.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return hash;
}

std::string file_name(const CalibrationKey& key) {
  return fmt::format("{}-{:016x}{}", file_stem(key.model), hash_of(key_text(key)), kSuffix);
}

Json json_of(const CalibratedClass& one) {
  Json powers = Json::array();
  for (const auto& power : one.powers) {
    powers.push_back(power ? Json{{"power_w", power->power.value()},
                                  {"deviation", power->deviation},
                                  {"windows", power->windows}}
                           : Json(nullptr));
  }
  return {{"phase", to_string(one.phase)},
          {"component", one.component},
          {"op", one.op},
          {"operations", one.operations},
          {"pass_time_ns", one.pass_time.count()},
          {"replayed_time_ns", one.replayed_time.count()},
          {"powers", std::move(powers)}};
}

std::string text_of(const JsonNode& node) { return node.text(); }
Nanoseconds time_of(const JsonNode& node) {
  return Nanoseconds{node.whole<std::int64_t>(0, kMostTime)};
}

CalibratedClass class_of(const JsonNode& node, std::size_t domains) {
  CalibratedClass one;
  const auto phase = phase_from_string(node.at("phase").text());
  if (!phase) {
    node.at("phase").is_not("a phase");
  }
  one.phase = *phase;
  one.component = node.at("component").text();
  one.op = node.at("op").text();
  one.operations = node.at("operations").whole<std::size_t>(0, kMostTime);
  one.pass_time = time_of(node.at("pass_time_ns"));
  one.replayed_time = time_of(node.at("replayed_time_ns"));
  one.powers = node.at("powers").list([](const JsonNode& power) {
    return power.optional([](const JsonNode& there) {
      return CalibratedClass::Power{
          .power = Watts{there.at("power_w").number(0.0, kMostNumber)},
          .deviation = there.at("deviation").number(0.0, kMostNumber),
          .windows = there.at("windows").whole<std::size_t>(0, kMostTime)};
    });
  });
  if (one.powers.size() != domains) {
    node.at("powers").reject(
        fmt::format("has {} entries for {} domains", one.powers.size(), domains));
  }
  return one;
}

Calibration calibration_of(const JsonNode& node) {
  if (node.at("calibration").json() != kVersion) {
    throw JsonError(
        fmt::format("it does not begin with \"calibration\": {}, the version that this "
                    "program reads",
                    kVersion));
  }
  Calibration result;
  result.key = {.model = node.at("model").text(),
                .architecture = node.at("architecture").text(),
                .quantization = node.at("quantization").text(),
                .parameters = node.at("parameters").whole<std::uint64_t>(),
                .weight_bytes = node.at("weight_bytes").whole<std::uint64_t>(),
                .cpu = node.at("cpu").text(),
                .threads = node.at("threads").whole(0, 1 << 20),
                .domains = node.at("domains").list(text_of)};
  result.made_at = decltype(result.made_at){
      std::chrono::milliseconds{node.at("made_at_ms").whole<std::int64_t>(0, kMostTime)}};
  result.duration = time_of(node.at("duration_ns"));
  if (node.at("classes").size() > kMostClasses) {
    node.at("classes").reject("is too long");
  }
  result.classes = node.at("classes").list(
      [&](const JsonNode& one) { return class_of(one, result.key.domains.size()); });
  return result;
}

std::unexpected<Error> file_error(int error_number, std::string_view what,
                                  const std::filesystem::path& path) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot {} {}: {}", what, path.string(),
                          std::generic_category().message(error_number)));
}

Result<Calibration> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return file_error(errno, "read", path);
  }
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  return calibration_from_json(text, path.string());
}

}  // namespace

std::string calibration_to_json(const Calibration& calibration) {
  const CalibrationKey& key = calibration.key;
  Json classes = Json::array();
  for (const CalibratedClass& one : calibration.classes) {
    classes.push_back(json_of(one));
  }
  const Json document{{"calibration", kVersion},
                      {"model", key.model},
                      {"architecture", key.architecture},
                      {"quantization", key.quantization},
                      {"parameters", key.parameters},
                      {"weight_bytes", key.weight_bytes},
                      {"cpu", key.cpu},
                      {"threads", key.threads},
                      {"domains", key.domains},
                      {"made_at_ms", calibration.made_at.time_since_epoch().count()},
                      {"duration_ns", calibration.duration.count()},
                      {"classes", std::move(classes)}};
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Calibration> calibration_from_json(std::string_view text, std::string_view name) {
  try {
    const auto document = parse_document(text);
    return calibration_of(JsonNode(document, "the calibration"));
  } catch (const JsonError& wrong) {
    return fail(ErrorCode::malformed, fmt::format("{} is no calibration: {}", name, wrong.what()),
                "Calibrate again: enprof calibrate MODEL");
  }
}

std::string difference(const CalibrationKey& made, const CalibrationKey& wanted) {
  if (made.architecture != wanted.architecture || made.quantization != wanted.quantization ||
      made.parameters != wanted.parameters || made.weight_bytes != wanted.weight_bytes ||
      made.model != wanted.model) {
    return "made for another model of that name";
  }
  if (made.cpu != wanted.cpu) {
    return fmt::format("made on another CPU, {}", made.cpu);
  }
  if (made.threads != wanted.threads) {
    return fmt::format("made with {}, not {}", counted(made.threads, "thread"), wanted.threads);
  }
  if (made.domains != wanted.domains) {
    return fmt::format("made with other sensors: {}", fmt::join(made.domains, ", "));
  }
  return {};
}

Result<std::filesystem::path> CalibrationFolder::keep(const Calibration& calibration) const {
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  if (failed) {
    return file_error(failed.value(), "create", directory_);
  }
  std::filesystem::path path = directory_ / file_name(calibration.key);
  // A program that reads meanwhile sees the old file or the new one.
  const std::filesystem::path part = fmt::format("{}.{}", path.string(), ::getpid());
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << calibration_to_json(calibration) << std::flush;
    if (!out) {
      const int error_number = errno;
      std::filesystem::remove(part, failed);
      return file_error(error_number, "write", path);
    }
  }
  std::filesystem::rename(part, path, failed);
  if (failed) {
    const int error_number = failed.value();
    std::filesystem::remove(part, failed);
    return file_error(error_number, "write", path);
  }
  return path;
}

CalibrationFolder::Found CalibrationFolder::find(const CalibrationKey& key) const {
  std::error_code failed;
  const std::filesystem::path wanted = directory_ / file_name(key);
  if (std::filesystem::exists(wanted, failed)) {
    Result<Calibration> read = read_file(wanted);
    if (!read) {
      kLog.debug("{}", read.error().message);  // the caller says it, once
      return {.calibration = nullptr, .why_not = read.error().message};
    }
    if (const std::string differs = difference(read->key, key); !differs.empty()) {
      return {.calibration = nullptr,
              .why_not = fmt::format("{} was {}", wanted.string(), differs)};
    }
    return {.calibration = std::make_shared<const Calibration>(*std::move(read)), .why_not = {}};
  }
  // The nearest other one says what has changed.
  const std::string begin = file_stem(key.model) + "-";
  for (std::filesystem::directory_iterator at(directory_, failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(kSuffix) ||
        name.size() != begin.size() + 16 + std::string_view{kSuffix}.size()) {
      continue;
    }
    if (const Result<Calibration> other = read_file(at->path())) {
      return {.calibration = nullptr,
              .why_not =
                  fmt::format("the calibration of this model was {}", difference(other->key, key))};
    }
  }
  return {};
}

}  // namespace enprof
