#include "cli/live_run.hpp"

#include "base/json_members.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace enprof {
namespace {

std::optional<Watts> watts(const Json& object) {
  const auto milliwatts = number_or_absent(object, "power_mw");
  return milliwatts ? std::optional{Watts{*milliwatts / 1e3}} : std::nullopt;
}

std::optional<Joules> joules(std::optional<double> millijoules) {
  return millijoules ? std::optional{Joules{*millijoules / 1e3}} : std::nullopt;
}

std::optional<Nanoseconds> time_of(std::optional<double> milliseconds) {
  return milliseconds
             ? std::optional{std::chrono::round<Nanoseconds>(
                   std::chrono::duration<double, std::milli>(std::clamp(*milliseconds, 0.0, 1e12)))}
             : std::nullopt;
}

std::size_t count_of(const Json& object, const char* key) {
  return static_cast<std::size_t>(
      std::clamp(number_or_absent(object, key).value_or(0.0), 0.0, 1e15));
}

}  // namespace

void LiveRun::apply_power_status(const Json& status) {
  if (!status.is_object()) {
    return;
  }
  for (const Json& domain : list_or_empty(status, "domains")) {
    if (domain.is_object()) {
      Rail& known = rail(word_or_empty(domain, "name"));
      known.estimated = word_or_empty(domain, "method") == "estimated";
      known.is_root = word_or_empty(domain, "within").empty();
    }
  }
}

bool LiveRun::apply(const Json& event) {
  if (!event.is_object()) {
    return false;
  }
  const std::string type = word_or_empty(event, "type");
  const std::string run_id = word_or_empty(event, "run_id");
  if (const auto seq = event.find("seq"); seq != event.end() && seq->is_number_unsigned()) {
    last_event_ = seq->get<std::uint64_t>();
  }
  const auto found = event.find("data");
  const Json data = found != event.end() && found->is_object() ? *found : Json::object();
  if (type == "gap") {
    apply_gap(data);
    return true;
  }
  if (!selected_.empty() && run_id != selected_) {
    return false;
  }
  if (run_id.empty()) {
    return true;
  }
  if (run_id != run_id_ || type == "run_started") {
    begin(run_id);
  }
  time_ = std::max(time_, time_of(number_or_absent(event, "t_ms").value_or(0.0)).value_or(time_));
  if (type == "model_loading") {
    status_ = "loading";
    model_ = word_or_empty(data, "model");
    loading_ = number_or_absent(data, "progress_ratio");
  } else if (type == "run_started") {
    status_ = "running";
  } else if (type == "section_start") {
    phase_ = word_or_empty(data, "phase");
    section_ = word_or_empty(data, "section");
  } else if (type == "section_end") {
    section_.clear();
  } else if (type == "token_complete") {
    apply_token(data);
  } else if (type == "power_sample") {
    apply_power(data);
  } else if (type == "energy_settled") {
    apply_settled(data);
  } else if (type == "request_metrics") {
    apply_requests(data);
  } else if (type == "inference_complete") {
    status_ = word_or_empty(data, "status").empty() ? "completed" : word_or_empty(data, "status");
    energy_ = joules(number_or_absent(data, "energy_mj"));
    const double duration_ms = number_or_absent(data, "duration_ms").value_or(0.0);
    power_ = energy_ && duration_ms > 0.0
                 ? std::optional{Watts{energy_->value() * 1e3 / duration_ms}}
                 : std::nullopt;
    section_.clear();
  } else if (type == "warning" || type == "error") {
    if (type == "error") {
      status_ = "failed";
    }
    complaints_.push_back(
        {word_or_empty(data, "message"), word_or_empty(data, "hint"), type == "error"});
    if (complaints_.size() > kComplaints) {
      complaints_.erase(complaints_.begin());
    }
  }
  if (status_ == "waiting") {
    status_ = "running";  // its beginning was missed
  }
  return true;
}

void LiveRun::apply_gap(const Json& data) {
  missed_ += static_cast<std::uint64_t>(
      std::clamp(number_or_absent(data, "missed").value_or(0.0), 0.0, 1e15));
  if (data.value("restarted", Json(false)) == true) {
    restarted_ = true;
    if (!run_id_.empty() && !is_over()) {  // it ended with the server
      status_ = "interrupted";
      section_.clear();
    }
  }
}

void LiveRun::begin(const std::string& run_id) {
  // The model is published before its run begins; domains belong to the server, not to the run.
  std::string model = run_id == run_id_ ? std::move(model_) : std::string{};
  std::vector<Rail> rails = std::move(rails_);
  for (Rail& rail : rails) {
    rail.power.reset();
  }
  const auto last_event = last_event_;
  const auto missed = run_id == run_id_ ? missed_ : 0;
  std::string wanted = std::move(selected_);
  *this = LiveRun();
  selected_ = std::move(wanted);
  run_id_ = run_id;
  model_ = std::move(model);
  rails_ = std::move(rails);
  last_event_ = last_event;
  missed_ = missed;
}

void LiveRun::apply_token(const Json& data) {
  ++token_count_;
  last_token_ = time_;
  if (token_count_ == 1) {
    first_token_ = time_;
  }
  text_ += word_or_empty(data, "text");
  if (text_.size() > 2 * kTextBytes) {
    std::size_t cut = text_.size() - kTextBytes;
    while (cut < text_.size() && (static_cast<unsigned char>(text_[cut]) & 0xC0U) == 0x80U) {
      ++cut;  // do not cut within a character
    }
    text_.erase(0, cut);
  }
  phase_ = word_or_empty(data, "phase").empty() ? phase_ : word_or_empty(data, "phase");
  const auto index =
      number_or_absent(data, "index").value_or(static_cast<double>(token_count_ - 1));
  if (!(index >= 0.0 && index < static_cast<double>(kTokens))) {
    return;
  }
  const auto place = static_cast<std::size_t>(index);
  if (place >= tokens_.size()) {
    tokens_.resize(place + 1);
  }
  tokens_[place].decoded = word_or_empty(data, "phase") == "decode";
  set_energy(tokens_[place], number_or_absent(data, "energy_mj"), true);
}

void LiveRun::apply_settled(const Json& data) {
  for (const Json& settled : list_or_empty(data, "tokens")) {
    const auto index = settled.is_object() ? number_or_absent(settled, "index") : std::nullopt;
    if (!index || !(*index >= 0.0 && *index < static_cast<double>(tokens_.size()))) {
      continue;
    }
    tokens_estimated_ = tokens_estimated_ || word_or_empty(settled, "method") == "estimated";
    set_energy(tokens_[static_cast<std::size_t>(*index)], number_or_absent(settled, "energy_mj"),
               false);
  }
}

void LiveRun::set_energy(Token& token, std::optional<double> energy_mj, bool provisional) {
  const auto count = [this](const Token& counted, bool in) {
    if (!counted.decoded || !counted.energy_mj) {
      return;
    }
    decoded_mj_ += in ? *counted.energy_mj : -*counted.energy_mj;
    decoded_ = in ? decoded_ + 1 : decoded_ - 1;
    if (counted.provisional) {
      provisional_ = in ? provisional_ + 1 : provisional_ - 1;
    }
  };
  count(token, false);
  token.energy_mj = energy_mj;
  token.provisional = provisional;
  count(token, true);
}

void LiveRun::apply_power(const Json& data) {
  power_ = watts(data);
  if (const auto energy = joules(number_or_absent(data, "energy_mj"))) {
    energy_ = energy;
  }
  for (Rail& known : rails_) {
    known.power.reset();
  }
  for (const Json& entry : list_or_empty(data, "rails")) {
    if (entry.is_object()) {
      rail(word_or_empty(entry, "name")).power = watts(entry);
    }
  }
}

void LiveRun::apply_requests(const Json& data) {
  Requests now{.begun = count_of(data, "requests"),
               .in_flight = count_of(data, "in_flight"),
               .passes = count_of(data, "passes"),
               .output_tokens = count_of(data, "output_tokens"),
               .tokens_per_second = number_or_absent(data, "tokens_per_second"),
               .mean_sequences = number_or_absent(data, "mean_sequences"),
               .energy_per_token = joules(number_or_absent(data, "energy_per_output_token_mj")),
               .running = {}};
  for (const Json& entry : list_or_empty(data, "running")) {
    const bool has_sequence = number_or_absent(entry, "sequence").value_or(-1.0) >= 0.0;
    now.running.push_back(
        {.number = count_of(entry, "number"),
         .sequence = has_sequence ? std::optional{count_of(entry, "sequence")} : std::nullopt,
         .prompt_tokens = count_of(entry, "prompt_tokens"),
         .output_tokens = count_of(entry, "output_tokens"),
         .begin = time_of(number_or_absent(entry, "begin_ms")),
         .first_token = time_of(number_or_absent(entry, "time_to_first_token_ms"))});
  }
  requests_ = std::move(now);
}

LiveRun::Rail& LiveRun::rail(const std::string& name) {
  const auto found = std::ranges::find(rails_, name, &Rail::name);
  return found != rails_.end() ? *found : rails_.emplace_back(Rail{.name = name});
}

bool LiveRun::is_over() const {
  return status_ != "waiting" && status_ != "loading" && status_ != "running";
}

std::optional<double> LiveRun::tokens_per_second() const {
  if (token_count_ < 2 || last_token_ <= first_token_) {
    return std::nullopt;
  }
  return static_cast<double>(token_count_ - 1) / seconds(last_token_ - first_token_);
}

std::optional<Joules> LiveRun::joules_per_token() const {
  return decoded_ == 0 ? std::nullopt : joules(decoded_mj_ / static_cast<double>(decoded_));
}

bool LiveRun::is_estimated() const {
  return tokens_estimated_ || std::ranges::any_of(rails_, [](const Rail& rail) {
           return rail.is_root && rail.estimated;
         });
}

}  // namespace enprof
