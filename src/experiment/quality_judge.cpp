#include "experiment/quality_judge.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"quality"};

/// Rows of ln p, each value in 16 bits: from the row's largest down, in steps of 1/65535 of the
/// range, which is cut at kRange: p below e⁻⁴⁰ of the largest adds nothing. With steps of 0.0006
/// the divergence of a model from itself is below 1e-7.
class LogProbabilityFile {
 public:
  LogProbabilityFile() : file_(std::tmpfile()) {}

  [[nodiscard]] bool is_open() const { return file_ != nullptr; }
  [[nodiscard]] std::size_t row_size() const { return row_size_; }

  [[nodiscard]] bool add(std::span<const float> row) {
    if (row_size_ == 0) {
      row_size_ = row.size();
    }
    const float largest = std::ranges::max(row);
    const float range = std::min(largest - std::ranges::min(row), kRange);
    const float step = std::max(range, 1e-6F) / kSteps;
    codes_.resize(row.size());
    std::ranges::transform(row, codes_.begin(), [&](float value) {
      return static_cast<std::uint16_t>(std::min(std::round((largest - value) / step), kSteps));
    });
    return write_all(&largest, sizeof largest) && write_all(&step, sizeof step) &&
           write_all(codes_.data(), codes_.size() * sizeof(std::uint16_t));
  }
  /// Goes back to the first row. False if the file cannot do that.
  [[nodiscard]] bool rewind() { return std::fseek(file_.get(), 0, SEEK_SET) == 0; }
  /// The next row; empty at the end.
  [[nodiscard]] std::span<const float> next() {
    float largest = 0.0F;
    float step = 0.0F;
    codes_.resize(row_size_);
    if (!read_all(&largest, sizeof largest) || !read_all(&step, sizeof step) ||
        !read_all(codes_.data(), codes_.size() * sizeof(std::uint16_t))) {
      return {};
    }
    row_.resize(row_size_);
    std::ranges::transform(codes_, row_.begin(), [&](std::uint16_t code) {
      return largest - step * static_cast<float>(code);
    });
    return row_;
  }

 private:
  static constexpr float kRange = 40.0F;
  static constexpr float kSteps = 65535.0F;
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  [[nodiscard]] bool write_all(const void* data, std::size_t size) {
    return std::fwrite(data, 1, size, file_.get()) == size;
  }
  [[nodiscard]] bool read_all(void* data, std::size_t size) {
    return std::fread(data, 1, size, file_.get()) == size;
  }

  std::unique_ptr<std::FILE, Close> file_;
  std::size_t row_size_ = 0;
  std::vector<std::uint16_t> codes_;
  std::vector<float> row_;
};

/// A mean over tokens, with its standard error by the means of the chunks: tokens of one chunk
/// depend on each other.
class ChunkMean {
 public:
  void add(std::size_t chunk, double value) {
    if (chunk >= chunks_.size()) {
      chunks_.resize(chunk + 1);
    }
    chunks_[chunk].sum += value;
    chunks_[chunk].count += 1.0;
  }
  [[nodiscard]] double mean() const {
    double sum = 0.0;
    double count = 0.0;
    for (const Chunk& chunk : chunks_) {
      sum += chunk.sum;
      count += chunk.count;
    }
    return count > 0.0 ? sum / count : 0.0;
  }
  [[nodiscard]] std::optional<double> error() const {
    if (chunks_.size() < 2) {
      return std::nullopt;
    }
    const double whole = mean();
    double squares = 0.0;
    for (const Chunk& chunk : chunks_) {
      const double off = chunk.sum / chunk.count - whole;  // chunks have equally many tokens
      squares += off * off;
    }
    const auto count = static_cast<double>(chunks_.size());
    return std::sqrt(squares / (count - 1.0) / count);
  }

 private:
  struct Chunk {
    double sum = 0.0;
    double count = 0.0;
  };
  std::vector<Chunk> chunks_;
};

double divergence(std::span<const float> reference, std::span<const float> model) {
  double sum = 0.0;
  double all = 0.0;  // rounding to 16 bits leaves it a little off one
  for (std::size_t index = 0; index < reference.size(); ++index) {
    const double p = std::exp(static_cast<double>(reference[index]));
    all += p;
    sum += p * static_cast<double>(reference[index] - model[index]);
  }
  return std::max(sum / all - std::log(all), 0.0);
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits): the same in each program.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char character : text) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 1099511628211U;
  }
  return hash;
}

std::string version_of(const std::string& model) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(model, error);
  const auto size = fs::file_size(path, error);
  const auto time = fs::last_write_time(path, error).time_since_epoch().count();
  return fmt::format("{}\n{}\n{}", path.string(), size, time);
}

class Judge {
 public:
  Judge(const QualityRequest& request, ModelKeeper& models, const QualityOptions& options)
      : request_(request), models_(models), options_(options) {}

  [[nodiscard]] Qualities judge(const std::vector<std::string>& models) {
    Qualities result;
    const auto text = read_text();
    if (!text) {
      for (const std::string& model : models) {
        result.emplace(model, std::unexpected(text.error()));
      }
      return result;
    }
    text_ = *text;
    reference_ = request_.reference.empty() ? largest_of(models) : request_.reference;
    for (const std::string& model : models) {
      if (auto known = cached(model)) {
        result.emplace(model, *std::move(known));
      }
    }
    std::vector<std::string> order{reference_};  // the others are compared with it
    std::ranges::copy_if(models, std::back_inserter(order),
                         [&](const std::string& model) { return model != reference_; });
    const bool all_known = std::ranges::all_of(
        models, [&](const std::string& model) { return result.contains(model); });
    for (const std::string& model : order) {
      const bool is_reference = model == reference_;
      if (all_known || (!is_reference && result.contains(model))) {
        continue;
      }
      auto judged = judge_model(model, is_reference);
      if (judged) {
        keep(model, *judged);
      } else {
        kLog.warning("{} cannot be judged: {}", model, judged.error().message);
      }
      if (std::ranges::find(models, model) != models.end()) {
        result.insert_or_assign(model, std::move(judged));
      }
    }
    return result;
  }

 private:
  [[nodiscard]] Result<std::string> read_text() const {
    std::ifstream in(request_.text, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in || text.str().empty()) {
      return fail(ErrorCode::not_found,
                  fmt::format("The text {} cannot be read, or is empty", request_.text),
                  "Pass a text file with --quality.");
    }
    return std::move(text).str();
  }

  [[nodiscard]] static std::string largest_of(const std::vector<std::string>& models) {
    const auto size = [](const std::string& model) {
      std::error_code error;
      const auto bytes = fs::file_size(model, error);
      return error ? std::uintmax_t{0} : bytes;
    };
    return *std::ranges::max_element(models, {}, size);
  }

  [[nodiscard]] Result<PointQuality> judge_model(const std::string& model, bool is_reference) {
    if (options_.stop.stop_requested()) {
      return fail(ErrorCode::cancelled, "Cancelled");
    }
    if (options_.on_model) {
      options_.on_model(model);
    }
    const auto ready = models_.make_ready(model, options_.stop, [](double) {});
    if (!ready) {
      return std::unexpected(ready.error());
    }
    if (is_reference) {
      kept_.emplace();
      if (!kept_->is_open()) {
        return fail(ErrorCode::io, "No temporary file can be made", "Set TMPDIR to a directory.");
      }
    } else if (kept_ && !kept_->rewind()) {
      return fail(ErrorCode::io, "The reference model's answers cannot be read again",
                  "Look at the disk of TMPDIR.");
    }
    ChunkMean surprise;
    ChunkMean divergences;
    bool is_comparable = !is_reference && kept_.has_value() && kept_->row_size() > 0;
    ScoreRequest score{.text = text_,
                       .context = request_.context,
                       .chunks = request_.chunks,
                       .stop = options_.stop};
    score.visit = [&](const ScoreRequest::Row& row) {
      const auto token = static_cast<std::size_t>(row.token);
      surprise.add(row.chunk, -static_cast<double>(row.log_probabilities[token]));
      if (is_reference) {
        return kept_->add(row.log_probabilities);
      }
      if (is_comparable) {
        const auto expected = kept_->next();
        is_comparable = expected.size() == row.log_probabilities.size();
        if (is_comparable) {
          divergences.add(row.chunk, divergence(expected, row.log_probabilities));
        }
      }
      return true;
    };
    const auto scored = ready->model->score(score);
    if (!scored) {
      if (is_reference) {
        kept_.reset();
      }
      return std::unexpected(scored.error());
    }
    PointQuality quality{.tokens = scored->tokens,
                         .text = fs::path{request_.text}.filename().string()};
    quality.perplexity = std::exp(surprise.mean());
    if (const auto error = surprise.error()) {
      quality.perplexity_error = *quality.perplexity * *error;  // of exp(x): JCGM 100:2008, 5.1.2
    }
    if (is_comparable) {
      quality.kl_divergence = divergences.mean();
      quality.kl_divergence_error = divergences.error();
      quality.reference = fs::path{reference_}.filename().string();
    }
    return quality;
  }

  [[nodiscard]] fs::path cache_file(const std::string& model) const {
    const std::string key =
        fmt::format("1\n{}\n{}\n{}\n{}\n{}", version_of(model), version_of(reference_),
                    request_.context, request_.chunks, text_);
    return options_.cache / fmt::format("{:016x}.json", hash_of(key));
  }

  [[nodiscard]] std::optional<PointQuality> cached(const std::string& model) const {
    if (options_.cache.empty()) {
      return std::nullopt;
    }
    std::ifstream in(cache_file(model), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    auto quality = in ? quality_from_json(text.str()) : std::unexpected(Error{});
    return quality ? std::optional{*std::move(quality)} : std::nullopt;
  }

  /// What cannot be kept is judged again next time.
  void keep(const std::string& model, const PointQuality& quality) const {
    if (options_.cache.empty()) {
      return;
    }
    std::error_code error;
    fs::create_directories(options_.cache, error);
    const fs::path file = cache_file(model);
    const fs::path part = file.string() + ".part";
    {
      std::ofstream out(part, std::ios::binary);
      out << quality_to_json(quality) << '\n';
      if (!out.flush()) {
        kLog.warning("{} cannot be written: the quality of {} is not kept", part.string(), model);
        return;
      }
    }
    fs::rename(part, file, error);
  }

  const QualityRequest& request_;
  ModelKeeper& models_;
  const QualityOptions& options_;
  std::string text_;
  std::string reference_;
  std::optional<LogProbabilityFile> kept_;  // of the reference
};

}  // namespace

Qualities judge_models(const ExperimentDesign& design, ModelKeeper& models,
                       const QualityOptions& options) {
  const std::vector<std::string> names = design.models();
  if (!design.quality || names.empty()) {
    return {};
  }
  return Judge(*design.quality, models, options).judge(names);
}

}  // namespace enprof
