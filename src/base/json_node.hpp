// Reading JSON that somebody else wrote. Each value knows its place in the document, so that
// messages name it: `steps[2].us is -1, not a number from 0 to 3600`.
#pragma once

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {

/// What is wrong with a document, with the place and the value. Thrown while a document is read,
/// and caught by the function that reads it, which makes an Error of it.
class JsonError : public std::runtime_error {
 public:
  explicit JsonError(const std::string& what, std::string hint = {})
      : std::runtime_error(what), hint_(std::move(hint)) {}

  /// What to do; empty where the place says all.
  [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

 private:
  std::string hint_;
};

/// A value of a document, or the lack of one: what is missing is absent, and so is null. Every
/// function throws JsonError where the value is not what it asks for. Cheap to copy; the document
/// outlives it. Threads: many may read a document.
class JsonNode {
 public:
  using Json = nlohmann::json;

  /// The whole document. `name` is what messages call it ("the script"), and outlives this.
  JsonNode(const Json& document, std::string_view name)
      : root_(&document), name_(name), value_(&document) {}

  /// Missing, or null.
  [[nodiscard]] bool absent() const { return value_ == nullptr || value_->is_null(); }
  /// A member that is there, be it null.
  [[nodiscard]] bool is_there() const { return value_ != nullptr; }
  /// The value as it is; null where it is missing.
  [[nodiscard]] const Json& json() const;

  /// A member of an object. `key` outlives what is returned.
  [[nodiscard]] JsonNode at(std::string_view key) const;
  /// Refuses members with other names than these; the hint says which of them was probably meant.
  void allow_only(std::span<const std::string_view> keys) const;
  void allow_only(std::initializer_list<std::string_view> keys) const {
    allow_only(std::span(keys.begin(), keys.size()));
  }

  /// The entries of a list; 0 where it is absent.
  [[nodiscard]] std::size_t size() const;
  /// An entry of a list, below size().
  [[nodiscard]] JsonNode operator[](std::size_t index) const;
  /// What `read` makes of each entry of a list; nothing where it is absent.
  template <class Read>
  [[nodiscard]] auto list(Read read) const -> std::vector<std::invoke_result_t<Read, JsonNode>> {
    std::vector<std::invoke_result_t<Read, JsonNode>> entries;
    const std::size_t count = size();
    entries.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
      entries.push_back(read((*this)[index]));
    }
    return entries;
  }
  /// What `read` makes of it; empty where it is absent.
  template <class Read>
  [[nodiscard]] auto optional(Read read) const
      -> std::optional<std::invoke_result_t<Read, JsonNode>> {
    if (absent()) {
      return std::nullopt;
    }
    return read(*this);
  }

  [[nodiscard]] std::string text() const;
  /// Of at most so many bytes.
  [[nodiscard]] std::string text(std::size_t longest) const;
  [[nodiscard]] bool flag() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] double number(double least, double most) const;
  template <std::integral Number>
  [[nodiscard]] Number whole(Number least = std::numeric_limits<Number>::min(),
                             Number most = std::numeric_limits<Number>::max()) const {
    if (value_ != nullptr && value_->is_number_unsigned()) {
      if (const auto value = value_->get<std::uint64_t>(); std::in_range<Number>(value)) {
        return within(static_cast<Number>(value), least, most);
      }
    } else if (value_ != nullptr && value_->is_number_integer()) {
      if (const auto value = value_->get<std::int64_t>(); std::in_range<Number>(value)) {
        return within(static_cast<Number>(value), least, most);
      }
    }
    is_not_whole(std::to_string(least), std::to_string(most));
  }
  /// The name of a member; empty of anything else.
  [[nodiscard]] std::string_view key() const { return key_; }
  /// "steps[2].us"; the document's name for the document itself.
  [[nodiscard]] std::string place() const;
  /// Its value for messages, cut where it is long.
  [[nodiscard]] std::string shown() const;
  /// Throws "PLACE what".
  [[noreturn]] void reject(std::string_view what) const;
  /// Throws "PLACE is VALUE, not what", or that it is missing.
  [[noreturn]] void is_not(std::string_view what) const;

 private:
  JsonNode(const JsonNode& parent, const Json* value, std::string_view key)
      : root_(parent.root_),
        name_(parent.name_),
        value_(value),
        parent_(parent.value_),
        key_(key) {}

  template <class Number>
  [[nodiscard]] Number within(Number value, Number least, Number most) const {
    if (value < least || value > most) {
      is_not_whole(std::to_string(least), std::to_string(most));
    }
    return value;
  }
  [[noreturn]] void is_not_whole(const std::string& least, const std::string& most) const;

  const Json* root_;
  std::string_view name_;
  const Json* value_;             // null where it is missing
  const Json* parent_ = nullptr;  // the object that it is a member of
  std::string_view key_;          // in that object
};

/// Reads a document. Throws JsonError where the text is no JSON, with line and column.
[[nodiscard]] nlohmann::json parse_document(std::string_view text);

}  // namespace enprof
