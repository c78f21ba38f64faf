#include "base/json_node.hpp"

#include "base/choices.hpp"
#include "base/json_text.hpp"
#include "base/parsed_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {
namespace {

using Json = JsonNode::Json;

constexpr std::size_t kShownOfAValue = 60;

/// The way to a value that lies in the document: "steps[2].us". It is looked for, as only messages
/// need it; without recursion, as a document may be deeper than the stack.
std::string path_to(const Json& root, const Json& wanted) {
  if (&root == &wanted) {
    return {};
  }
  struct Level {
    const Json* json;
    Json::const_iterator at;
  };
  std::vector<Level> way{{&root, root.begin()}};
  while (!way.empty()) {
    Level& level = way.back();
    if (level.at == level.json->end()) {
      way.pop_back();
      if (!way.empty()) {
        ++way.back().at;
      }
      continue;
    }
    const Json& value = *level.at;
    if (&value == &wanted) {
      break;
    }
    if (value.is_structured()) {
      way.push_back({&value, value.begin()});
    } else {
      ++level.at;
    }
  }
  std::string path;
  for (const Level& level : way) {
    if (level.json->is_array()) {
      path += fmt::format("[{}]", level.at - level.json->begin());
    } else {
      path += (path.empty() ? "" : ".") + level.at.key();
    }
  }
  return path;
}

}  // namespace

const Json& JsonNode::json() const {
  static const Json kNull;
  return value_ == nullptr ? kNull : *value_;
}

JsonNode JsonNode::at(std::string_view key) const {
  if (value_ == nullptr || !value_->is_object()) {
    is_not("an object");
  }
  const auto found = value_->find(key);
  return {*this, found == value_->end() ? nullptr : &*found, key};
}

void JsonNode::allow_only(std::span<const std::string_view> keys) const {
  if (value_ == nullptr || !value_->is_object()) {
    is_not("an object");
  }
  for (const auto& [key, value] : value_->items()) {
    if (std::ranges::find(keys, key) == keys.end()) {
      throw JsonError(fmt::format("{} has \"{}\", which is not known there", place(), key),
                      say_choices(key, keys));
    }
  }
}

std::size_t JsonNode::size() const {
  if (absent()) {
    return 0;
  }
  if (!value_->is_array()) {
    is_not("a list");
  }
  return value_->size();
}

JsonNode JsonNode::operator[](std::size_t index) const { return {*this, &(*value_)[index], {}}; }

std::string JsonNode::text() const {
  if (value_ == nullptr || !value_->is_string()) {
    is_not("a text");
  }
  return value_->get<std::string>();
}

std::string JsonNode::text(std::size_t longest) const {
  if (value_ == nullptr || !value_->is_string() ||
      value_->get_ref<const std::string&>().size() > longest) {
    is_not(fmt::format("a text of at most {} bytes", longest));
  }
  return value_->get<std::string>();
}

bool JsonNode::flag() const {
  if (value_ == nullptr || !value_->is_boolean()) {
    is_not("true or false");
  }
  return value_->get<bool>();
}

double JsonNode::number() const {
  if (value_ == nullptr || !value_->is_number()) {
    is_not("a number");
  }
  return value_->get<double>();
}

double JsonNode::number(double least, double most) const {
  const bool is_number = value_ != nullptr && value_->is_number();
  if (!is_number || !(value_->get<double>() >= least && value_->get<double>() <= most)) {
    is_not(fmt::format("a number from {} to {}", least, most));
  }
  return value_->get<double>();
}

std::string JsonNode::place() const {
  const std::string path = value_ != nullptr ? path_to(*root_, *value_) : path_to(*root_, *parent_);
  if (value_ != nullptr) {
    return path.empty() ? std::string{name_} : path;
  }
  return fmt::format("{}{}{}", path, path.empty() ? "" : ".", key_);
}

std::string JsonNode::shown() const {
  const Json& value = json();
  // A deep value is not printed, nor copied: both recurse as deep as it is.
  if (value.is_structured() &&
      std::ranges::any_of(value, [](const Json& entry) { return entry.is_structured(); })) {
    return value.is_array() ? "[…]" : "{…}";
  }
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShownOfAValue) {
    text.resize(kShownOfAValue);
    text += "…";
  }
  return text;
}

void JsonNode::reject(std::string_view what) const {
  throw JsonError(fmt::format("{} {}", place(), what));
}

void JsonNode::is_not(std::string_view what) const {
  if (value_ == nullptr) {
    const JsonNode parent{*this, parent_, {}};
    throw JsonError(fmt::format("{} has no \"{}\"", parent.place(), key_));
  }
  throw JsonError(fmt::format("{} is {}, not {}", place(), shown(), what));
}

void JsonNode::is_not_whole(const std::string& least, const std::string& most) const {
  is_not(fmt::format("a whole number from {} to {}", least, most));
}

namespace {

/// "number overflow parsing '1e999'", with line and column.
std::string place_of_number(std::string_view text, std::string_view message) {
  const auto begin = message.find('\'');
  const auto end = message.rfind('\'');
  if (begin == end) {
    return std::string{message};
  }
  const std::string_view before =
      text.substr(0, text.find(message.substr(begin + 1, end - begin - 1)));
  const auto line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("{} at line {}, column {}", message, 1 + std::ranges::count(before, '\n'),
                     1 + before.size() - line_begin);
}

}  // namespace

nlohmann::json parse_document(std::string_view text) {
  try {
    ParsedJson parsed = parse_json(text, true);
    parsed.refuse_repetition();
    return std::move(parsed.json);
  } catch (const Json::out_of_range& wrong) {  // unlike other exceptions it does not say where
    throw JsonError(place_of_number(text, without_exception_name(wrong.what())));
  } catch (const Json::exception& wrong) {
    throw JsonError(std::string{without_exception_name(wrong.what())});
  }
}

}  // namespace enprof
