// What walks the lists of row_columns.hpp: names columns, binds a row to a statement, or reads it.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "store/name_codes.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace enprof {

/// Collects the names, comma-separated as SQL wants them, and how many there are.
class ColumnNames {
 public:
  void operator()(std::string_view name, const auto&) {
    names_ += count_ == 0 ? "" : ", ";
    names_ += name;
    ++count_;
  }
  void text_or_null(std::string_view name, const std::string& text) { (*this)(name, text); }
  void number_or_null(std::string_view name, double value) { (*this)(name, value); }
  void index_or_null(std::string_view name, std::int32_t value) { (*this)(name, value); }
  void coded(std::string_view name, const auto& value) { (*this)(name, value); }
  template <class Row>
  void group(const std::optional<Row>&, const auto& columns) {
    const Row any{};
    columns(*this, any);
  }

  /// The names of the list's columns for rows of that type.
  template <class Row>
  [[nodiscard]] static ColumnNames of(const auto& columns) {
    ColumnNames names;
    const Row any{};
    columns(names, any);
    return names;
  }

  [[nodiscard]] const std::string& text() const { return names_; }
  [[nodiscard]] int count() const { return count_; }

 private:
  std::string names_;
  int count_ = 0;
};

/// What the model's indices hold that point nowhere: outside the layers, the prompt.
inline constexpr std::int32_t kNoIndex = -1;

/// Binds to a statement's parameters, from the given one on. Text is not copied: the row must
/// outlive the statement's run. A double that is not a number becomes NULL: it says as little.
class ColumnBinder {
 public:
  /// `names` is needed where the list has coded columns.
  explicit ColumnBinder(SQLite::Statement& statement, int first = 1, NameWriter* names = nullptr)
      : statement_(statement), next_(first), names_(names) {}

  void operator()(std::string_view, double value) { statement_.bind(next_++, value); }
  void operator()(std::string_view, const std::string& text);
  template <std::integral Number>
  void operator()(std::string_view, Number value) {
    // Unsigned numbers beyond SQLite's signed ones come back by the same cast.
    statement_.bind(next_++, static_cast<std::int64_t>(value));
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(std::string_view, Enum value) {
    statement_.bind(next_++, std::string{to_string(value)});
  }
  template <class Dimension>
  void operator()(std::string_view name, Quantity<Dimension> value) {
    (*this)(name, value.value());
  }
  void operator()(std::string_view name, Nanoseconds value) { (*this)(name, value.count()); }
  void operator()(std::string_view name, WallTime value) {
    (*this)(name, value.time_since_epoch().count());
  }
  template <class T>
  void operator()(std::string_view name, const std::optional<T>& value) {
    if (value) {
      (*this)(name, *value);
    } else {
      statement_.bind(next_++);
    }
  }
  void text_or_null(std::string_view name, const std::string& text) {
    if (text.empty()) {
      statement_.bind(next_++);
    } else {
      (*this)(name, text);
    }
  }
  void number_or_null(std::string_view name, double value) { (*this)(name, value); }
  void index_or_null(std::string_view, std::int32_t value) {
    if (value == kNoIndex) {
      statement_.bind(next_++);
    } else {
      statement_.bind(next_++, value);
    }
  }
  void coded(std::string_view, const std::string& text) {
    statement_.bind(next_++, names_->code(text));
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void coded(std::string_view, Enum value) {
    statement_.bind(next_++, names_->code(to_string(value)));
  }
  template <class Row>
  void group(const std::optional<Row>& row, const auto& columns) {
    if (row) {
      columns(*this, *row);
      return;
    }
    for (int left = ColumnNames::of<Row>(columns).count(); left > 0; --left) {
      statement_.bind(next_++);
    }
  }

 private:
  SQLite::Statement& statement_;
  int next_;
  NameWriter* names_;
};

/// Reads the columns of a statement's current row, in order.
class ColumnReader {
 public:
  /// `names` is needed where the list has coded columns.
  explicit ColumnReader(SQLite::Statement& statement, const NameReader* names = nullptr,
                        int first = 0)
      : statement_(statement), names_(names), next_(first) {}

  void operator()(std::string_view, double& value) { value = next().getDouble(); }
  void operator()(std::string_view, std::string& text) { text = next().getString(); }
  template <std::integral Number>
  void operator()(std::string_view, Number& value) {
    value = static_cast<Number>(next().getInt64());
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(std::string_view name, Enum& value) {
    value = from_name<Enum>(name, next().getString());
  }
  template <class Dimension>
  void operator()(std::string_view, Quantity<Dimension>& value) {
    value = Quantity<Dimension>{next().getDouble()};
  }
  void operator()(std::string_view, Nanoseconds& value) { value = Nanoseconds{next().getInt64()}; }
  void operator()(std::string_view, WallTime& value) {
    value = WallTime{WallTime::duration{next().getInt64()}};
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (statement_.isColumnNull(next_)) {
      value.reset();
      ++next_;
    } else {
      (*this)(name, value.emplace());
    }
  }
  void text_or_null(std::string_view name, std::string& text) { (*this)(name, text); }
  void number_or_null(std::string_view, double& value) {
    const SQLite::Column column = next();
    value = column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
  }
  void index_or_null(std::string_view, std::int32_t& value) {
    const SQLite::Column column = next();
    value = column.isNull() ? kNoIndex : column.getInt();
  }
  void coded(std::string_view, std::string& text) { text = names_->name(next().getInt64()); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void coded(std::string_view name, Enum& value) {
    value = from_name<Enum>(name, names_->name(next().getInt64()));
  }
  /// A group is there where its first column is not NULL.
  template <class Row>
  void group(std::optional<Row>& row, const auto& columns) {
    if (statement_.isColumnNull(next_)) {
      row.reset();
      next_ += ColumnNames::of<Row>(columns).count();
    } else {
      columns(*this, row.emplace());
    }
  }

 private:
  [[nodiscard]] SQLite::Column next() { return statement_.getColumn(next_++); }
  /// Throws SQLite::Exception (corrupt) for a name that this program does not know.
  template <class Enum>
  [[nodiscard]] static Enum from_name(std::string_view column, const std::string& name);

  SQLite::Statement& statement_;
  const NameReader* names_;
  int next_;
};

/// Reads the rows of a statement to its end.
template <class Row>
[[nodiscard]] std::vector<Row> read_rows(SQLite::Statement& statement, const auto& columns,
                                         const NameReader* names = nullptr) {
  std::vector<Row> rows;
  while (statement.executeStep()) {
    ColumnReader reader(statement, names);
    columns(reader, rows.emplace_back());
  }
  return rows;
}

}  // namespace enprof
