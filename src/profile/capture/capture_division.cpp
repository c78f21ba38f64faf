#include "profile/capture/capture_division.hpp"

#include <bit>
#include <cmath>

namespace enprof {
namespace {

constexpr std::array kBalances{kUsualBalance, kLowestBalance, kHighestBalance};

}  // namespace

std::vector<SpanGroups> CaptureDivision::groupings(std::span<const Span> spans,
                                                   std::span<const std::uint32_t> classes) {
  divisions_ = {};
  deviations_ = {};
  deviations_of_.clear();
  part_of_.assign(spans.size(), kNone);
  request_of_.assign(spans.size(), kNone);
  operation_of_.assign(spans.size(), kNone);
  piece_of_.assign(spans.size(), kNone);
  modelled_passes_ = operation_passes_ = 0;
  std::uint32_t piece = kNone;
  spans_ = spans;
  has_components_ = !classes.empty();
  for (std::size_t index = 0; index < spans.size(); ++index) {
    if (spans[index].level == Level::run) {
      continue;
    }
    if (spans[index].level == Level::section) {
      piece = piece == kNone ? 0 : piece + 1;
      begin_piece(piece);
    }
    piece_of_[index] = piece;
    part_of_[index] = static_cast<std::uint32_t>(pieces_[piece].part);
    if (pieces_[piece].part == CapturePartKind::requests) {
      request_of_[index] = row_of(index, classes);
    }
  }
  return {{.of_span = part_of_, .count = kPartKinds},
          {.of_span = request_of_,
           .count = static_cast<std::uint32_t>(found_.requests.size()) * kStages,
           .divisions = &divisions_}};
}

/// Passes of one to two, three to four, five to eight, … tokens.
std::vector<std::uint32_t> CaptureDivision::finer_classes(std::span<const std::uint32_t> classes) {
  constexpr std::uint32_t kSizes = 32;
  std::vector<std::uint32_t> finer(classes.begin(), classes.end());
  for (std::size_t index = 0; index < finer.size(); ++index) {
    const std::uint32_t piece = piece_of_[index];
    if (finer[index] == kNoClass || piece == kNone || pieces_[piece].passes.empty()) {
      continue;
    }
    std::uint32_t tokens = 0;
    for (const BatchSequence& sequence : passes_.sequences_of(pass_of(pieces_[piece]))) {
      tokens += sequence.tokens;
    }
    finer[index] = finer[index] * kSizes + static_cast<std::uint32_t>(std::bit_width(tokens));
  }
  return finer;
}

void CaptureDivision::take(const Attribution& attribution, std::size_t first,
                           const DomainTimelines& timelines) {
  roots_.assign(timelines.root_domains().begin(), timelines.root_domains().end());
  sums_.assign(found_.requests.size(), {});
  for (std::size_t request = 0; request < sums_.size(); ++request) {
    sums_[request].part_j.assign(found_.requests[request].parts.size(), 0.0);
  }
  part_time_.assign(kPartKinds, Nanoseconds{0});
  part_pieces_.assign(kPartKinds, 0);
  for (const CapturePiece& piece : pieces_) {
    part_time_[static_cast<std::size_t>(piece.part)] += piece.end - piece.begin;
    ++part_pieces_[static_cast<std::size_t>(piece.part)];
  }
  next_part_.assign(found_.requests.size(), 0);
  occupancy_.clear();
  std::uint32_t last_piece = kNone;
  for (std::size_t index = 0; index < spans_.size(); ++index) {
    if (piece_of_[index] == kNone) {
      continue;
    }
    if (piece_of_[index] != last_piece) {
      last_piece = piece_of_[index];
      enter_piece(last_piece);
    }
    if (request_of_[index] != kNone || !pieces_[last_piece].passes.empty()) {
      add_span(index, attribution);
    }
  }
  groups_.clear();
  for (std::size_t part = 0; part < kPartKinds; ++part) {
    const auto shares = attribution.group(first, part);
    parts_[part].assign(shares.begin(), shares.end());
  }
  for (std::size_t group = 0; group < found_.requests.size() * kStages; ++group) {
    const auto shares = attribution.group(first + 1, group);
    groups_.emplace_back(shares.begin(), shares.end());
  }
}

Figure CaptureDivision::part_figure(std::size_t part) const {
  FigureBuilder builder(roots_);
  if (part_time_.empty()) {
    return {};
  }
  builder.add(part_time_[part], parts_[part], std::max<std::size_t>(1, part_pieces_[part]));
  return builder.build();
}

const CaptureDivision::PlanFacts& CaptureDivision::facts_of(std::uint32_t plan) {
  auto found = plans_.find(plan);
  if (found == plans_.end()) {
    PlanFacts facts{.sharing = sharing_of(*passes_.plans[plan]), .keys = {}};
    for (const OperationInfo& operation : passes_.plans[plan]->operations) {
      facts.keys.push_back(key_of({operation.layer, operation.component}));
    }
    found = plans_.emplace(plan, std::move(facts)).first;
  }
  return found->second;
}

const std::optional<PassModel>& CaptureDivision::model_of(std::uint32_t pass) const {
  static const std::optional<PassModel> kUnknown;
  const std::uint32_t context =
      pass < recording_.context_of.size() ? recording_.context_of[pass] : kNone;
  return context < contexts_.size() && contexts_[context].model < models_.size()
             ? models_[contexts_[context].model]
             : kUnknown;
}

void CaptureDivision::begin_piece(std::uint32_t index) {
  rows_.clear();
  next_operation_ = 0;
  pass_span_ = kNone;
  const CapturePiece& piece = pieces_[index];
  if (piece.part != CapturePartKind::requests) {
    return;
  }
  if (piece.passes.empty()) {
    rest_row_ = row_between(piece);
  } else {
    rest_row_ = modelled_row(piece);
  }
}

void CaptureDivision::add_row(const PassRecord& pass, std::span<const double> shares,
                              double scale) {
  // What belongs to no request (a sequence that is not known) is shared by those that do.
  double owned = 0.0;
  for (std::size_t place = 0; place < shares.size(); ++place) {
    owned += found_.owner(pass, place).request != CaptureRequests::kNone ? shares[place] : 0.0;
  }
  for (std::size_t place = 0; place < shares.size(); ++place) {
    const CaptureRequests::Owner owner = found_.owner(pass, place);
    if (owner.request != CaptureRequests::kNone && owned > 0.0) {
      divisions_.add(group_of(owner), scale * shares[place] / owned);
    }
  }
}

std::uint32_t CaptureDivision::row_between(const CapturePiece& piece) {
  const double each = 1.0 / static_cast<double>(piece.requests.size());
  for (const std::uint32_t request : piece.requests) {
    divisions_.add(request * kStages + (is_in_prompt(request, piece.begin) ? 0U : 1U), each);
  }
  return divisions_.end_row();
}

bool CaptureDivision::is_in_prompt(std::uint32_t request, Instant at) const {
  // The first part that made a token ends the prompt.
  for (const RequestPart& part : found_.requests[request].parts) {
    if (!part.is_prompt || part.outputs > 0) {
      return at < passes_.passes[part.pass].end;
    }
    if (passes_.passes[part.pass].end > at) {
      return true;
    }
  }
  return true;
}

std::uint32_t CaptureDivision::modelled_row(const CapturePiece& piece) {
  std::size_t owned = 0;  // passes with a request
  for (const std::uint32_t pass : piece.passes) {
    owned += has_owner(passes_.passes[pass]) ? 1U : 0U;
  }
  for (const std::uint32_t pass : piece.passes) {
    if (has_owner(passes_.passes[pass])) {
      const ModelledShares modelled =
          modelled_shares(model_of(pass), passes_.sequences_of(passes_.passes[pass]));
      add_row(passes_.passes[pass], modelled.shares, 1.0 / static_cast<double>(owned));
    }
  }
  return divisions_.end_row();
}

bool CaptureDivision::has_owner(const PassRecord& pass) const {
  for (std::size_t place = 0; place < pass.sequence_count; ++place) {
    if (found_.owner(pass, place).request != CaptureRequests::kNone) {
      return true;
    }
  }
  return false;
}

std::uint32_t CaptureDivision::row_of(std::size_t index, std::span<const std::uint32_t> classes) {
  const CapturePiece& piece = pieces_[piece_of_[index]];
  const Span& span = spans_[index];
  if (span.level == Level::pass) {
    pass_span_ = static_cast<std::uint32_t>(index);
    if (classes[index] == kNoClass) {
      ++operation_passes_;
    } else {
      ++modelled_passes_;
    }
    return rest_row_;
  }
  if (span.level == Level::section) {
    modelled_passes_ += classes.empty() && !piece.passes.empty() ? 1U : 0U;
    return rest_row_;
  }
  const bool is_leaf = classes[index] != kNoClass;
  const bool is_gap = is_leaf && span.parent == static_cast<std::int32_t>(pass_span_);
  if (!is_leaf || is_gap) {
    return operation_row(piece, {});  // before the first operation, after the last: by tokens
  }
  const PassRecord& pass = pass_of(piece);
  const std::vector<OperationInfo>& operations = plan_of(pass)->operations;
  const std::size_t operation = next_operation_;
  operation_of_[index] = static_cast<std::uint32_t>(operation);
  ++next_operation_;
  if (span.level == Level::component && has_no_children(index)) {
    while (next_operation_ < operations.size() &&
           operations[next_operation_].layer == operations[operation].layer &&
           operations[next_operation_].component == operations[operation].component) {
      ++next_operation_;
    }
  }
  return operation_row(piece, facts_of(pass.plan).sharing[operation]);
}

std::uint32_t CaptureDivision::operation_row(const CapturePiece& piece, OperationSharing sharing) {
  const auto [row, is_new] = rows_.try_emplace(sharing, 0);
  if (is_new) {
    const PassRecord& pass = pass_of(piece);
    const std::span<const BatchSequence> batch = passes_.sequences_of(pass);
    add_row(pass, shares_of(batch, sharing), 1.0);
    row->second = divisions_.end_row();
    if (const std::vector<double> deviations = share_deviations(batch, sharing);
        !deviations.empty()) {
      for (std::size_t place = 0; place < deviations.size(); ++place) {
        const CaptureRequests::Owner owner = found_.owner(pass, place);
        if (owner.request != CaptureRequests::kNone) {
          deviations_.add(group_of(owner), deviations[place]);
        }
      }
      deviations_of_.emplace(row->second, deviations_.end_row());
    }
  }
  return row->second;
}

void CaptureDivision::enter_piece(std::uint32_t index) {
  const CapturePiece& piece = pieces_[index];
  const double length = seconds(piece.end - piece.begin);
  part_now_.clear();
  for (const std::uint32_t number : piece.passes) {
    const PassRecord& pass = passes_.passes[number];
    for (std::size_t place = 0; place < pass.sequence_count; ++place) {
      const CaptureRequests::Owner owner = found_.owner(pass, place);
      if (owner.request == CaptureRequests::kNone) {
        continue;
      }
      const std::vector<RequestPart>& parts = found_.requests[owner.request].parts;
      std::size_t& part = next_part_[owner.request];
      while (part + 1 < parts.size() && parts[part].pass < number) {
        ++part;
      }
      part_now_.emplace_back(owner.request, part);
      RequestSums& sums = sums_[owner.request];
      sums.pass_s += length;
      sums.sequence_s += length * pass.sequence_count;
    }
  }
  if (!piece.passes.empty() && piece.part == CapturePartKind::requests) {
    const PassRecord& pass = pass_of(piece);
    CaptureOccupancy& at = occupancy_[pass.sequence_count];
    at.sequences = pass.sequence_count;
    at.passes += piece.begin == pass.begin || piece.is_whole_pass ? 1U : 0U;
    at.duration += piece.end - piece.begin;
    if (at.passes > 0 && piece.begin <= pass.begin) {
      for (const BatchSequence& sequence : passes_.sequences_of(pass)) {
        at.tokens += sequence.tokens;
      }
    }
  }
}

void CaptureDivision::add_span(std::size_t index, const Attribution& attribution) {
  double energy_j = 0.0;
  bool any = false;
  for (std::size_t line = 0; line < attribution.timelines(); ++line) {
    energy_j += attribution.self(index, line).value();
    any = any || attribution.share(index, line).covered > Nanoseconds{0};
  }
  const CapturePiece& piece = pieces_[piece_of_[index]];
  if (!piece.passes.empty() && piece.part == CapturePartKind::requests && any) {
    CaptureOccupancy& at = occupancy_[pass_of(piece).sequence_count];
    at.energy = at.energy.value_or(Joules{0}) + Joules{energy_j};
  }
  if (request_of_[index] == kNone) {
    return;
  }
  const bool is_operation = operation_of_[index] != kNone;
  const double time_s = has_no_children(index) ? seconds(spans_[index].duration()) : 0.0;
  for (const SpanDivisions::Part& part : divisions_.row(request_of_[index])) {
    RequestSums& sums = sums_[part.group / kStages];
    const double own_j = part.weight * energy_j;
    sums.own_s[part.group % kStages] += part.weight * time_s;
    for (const auto& [request, number] : part_now_) {
      if (request == part.group / kStages) {
        sums.part_j[number] += own_j;
        break;
      }
    }
    if (is_operation) {
      add_operation(index, part, own_j, time_s);
    } else {
      if (has_components_ && !piece.passes.empty() && time_s > 0.0) {
        add_component(spans_[index].level == Level::component ? kSelf : kUntimed, part, own_j,
                      time_s);
      }
      // What is not an operation counts with its share.
      for (double& marginal : sums.marginal_j) {
        marginal += own_j;
      }
    }
  }
  if (!is_operation && piece.passes.size() == 1 && energy_j != 0.0) {
    add_modelled(piece, index, energy_j);
  }
  add_share_errors(index, energy_j);
}

/// How wrong the division of a span may be.
void CaptureDivision::add_share_errors(std::size_t index, double energy_j) {
  const std::uint32_t row = request_of_[index];
  if (pieces_[piece_of_[index]].passes.empty()) {
    // What a program does between passes is anywhere between none and twice an even part.
    for (const SpanDivisions::Part& part : divisions_.row(row)) {
      const double own_j = part.weight * energy_j;
      sums_[part.group / kStages].between_variance_j2[part.group % kStages] +=
          own_j * own_j * (1.0 - part.weight) / 3.0;
    }
  }
  if (const auto found = deviations_of_.find(row); found != deviations_of_.end()) {
    for (const SpanDivisions::Part& part : deviations_.row(found->second)) {
      sums_[part.group / kStages].modelled_error_j[part.group % kStages] +=
          part.weight * std::abs(energy_j);
    }
  }
}

ComponentShare& CaptureDivision::add_component(std::uint32_t key, const SpanDivisions::Part& part,
                                               double own_j, double time_s) {
  RequestSums& sums = sums_[part.group / kStages];
  if (sums.components.empty()) {
    sums.components.resize(keys_.size() * kStages);
  }
  ComponentShare& share = sums.components[key * kStages + part.group % kStages];
  share.energy_j += own_j;
  share.duration_s += part.weight * time_s;
  ++share.spans;
  return share;
}

void CaptureDivision::add_operation(std::size_t index, const SpanDivisions::Part& part,
                                    double own_j, double time_s) {
  const PassRecord& pass = pass_of(pieces_[piece_of_[index]]);
  const PlanFacts& facts = plans_.at(pass.plan);
  const std::uint32_t operation = operation_of_[index];
  const OperationInfo& info = plan_of(pass)->operations[operation];
  RequestSums& sums = sums_[part.group / kStages];
  ComponentShare& share = add_component(facts.keys[operation], part, own_j, time_s);
  const auto add = [&](std::optional<double>& sum, const std::optional<double>& more) {
    sum = sum && more ? std::optional{*sum + part.weight * *more} : std::nullopt;
  };
  add(share.flops, info.flops);
  add(share.bytes, info.bytes);
  const OperationSharing sharing = facts.sharing[operation];
  const auto load = load_of(info, sharing, rows_of(passes_.sequences_of(pass), sharing));
  const double energy_j = own_j / part.weight;
  for (std::size_t balance = 0; balance < kBalances.size(); ++balance) {
    sums.marginal_j[balance] += energy_j * marginal_part(load, part.weight, kBalances[balance]);
  }
}

void CaptureDivision::add_modelled(const CapturePiece& piece, std::size_t index, double energy_j) {
  if (request_of_[index] != rest_row_of(index)) {
    return;
  }
  const std::uint32_t number = piece.passes.front();
  const PassRecord& pass = passes_.passes[number];
  const std::span<const BatchSequence> batch = passes_.sequences_of(pass);
  const std::optional<PassModel>& model = model_of(number);
  const ModelledShares modelled = modelled_shares(model, batch);
  std::vector<BatchSequence> others;
  for (std::size_t place = 0; place < batch.size(); ++place) {
    const CaptureRequests::Owner owner = found_.owner(pass, place);
    if (owner.request == CaptureRequests::kNone) {
      continue;
    }
    RequestSums& sums = sums_[owner.request];
    if (!modelled.deviations.empty()) {
      sums.modelled_error_j[owner.is_prompt ? 0 : 1] += modelled.deviations[place] * energy_j;
    }
    if (!model || batch.size() < 2) {
      continue;
    }
    others.assign(batch.begin(), batch.end());
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(place));
    for (std::size_t balance = 0; balance < kBalances.size(); ++balance) {
      const double whole = model->time(batch, kBalances[balance]);
      const double added =
          whole > 0.0 ? 1.0 - model->time(others, kBalances[balance]) / whole : 0.0;
      // Its share was added before.
      sums.marginal_j[balance] += energy_j * (added - modelled.shares[place]);
    }
  }
}

}  // namespace enprof
