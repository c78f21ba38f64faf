// Visitors of the column lists in row_columns.hpp: one names the columns, one binds a row to a
// statement, one reads a row.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "model/run_fields.hpp"
#include "store/name_codes.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace enprof {

/// Collects the names, comma-separated as SQL wants them, and how many there are.
class ColumnNames : public FieldKinds<ColumnNames> {
 public:
  template <class Member>
  void operator()(FieldName name, const Member&) {
    names_ += count_ == 0 ? "" : ", ";
    names_ += prefix_;
    names_ += name.in_database;
    names_ += kUnitsInDatabase.of<Member>();
    ++count_;
  }
  template <class Row>
  void group(FieldName name, const std::optional<Row>&, const auto& columns) {
    prefix_ = std::string{name.in_database} + "_";
    const Row any{};
    columns(*this, any);
    prefix_.clear();
  }

  /// The names of the list's columns for rows of that type.
  template <class Row>
  [[nodiscard]] static ColumnNames of(const auto& columns) {
    ColumnNames names;
    const Row any{};
    columns(names, any);
    return names;
  }

  [[nodiscard]] const std::string& joined() const { return names_; }
  [[nodiscard]] int count() const { return count_; }

 private:
  std::string names_;
  std::string prefix_;
  int count_ = 0;
};

/// An absent index in the model's structs: outside the layers, or a token of the prompt.
inline constexpr std::int32_t kNoIndex = -1;

/// Binds to a statement's parameters, from the given one on. Text is not copied: the row must
/// outlive the statement's run. A double that is not a number becomes NULL: it says as little.
class ColumnBinder : public FieldKinds<ColumnBinder> {
 public:
  /// `names` is required if the list has coded columns.
  explicit ColumnBinder(SQLite::Statement& statement, int first = 1, NameWriter* names = nullptr)
      : statement_(statement), next_(first), names_(names) {}

  void operator()(FieldName, double value) { statement_.bind(next_++, value); }
  void operator()(FieldName, const std::string& text);
  template <std::integral Number>
  void operator()(FieldName, Number value) {
    // Unsigned numbers beyond SQLite's signed ones come back by the same cast.
    statement_.bind(next_++, static_cast<std::int64_t>(value));
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(FieldName, Enum value) {
    statement_.bind(next_++, std::string{to_string(value)});
  }
  template <class Dimension>
  void operator()(FieldName name, Quantity<Dimension> value) {
    (*this)(name, value.value());
  }
  void operator()(FieldName name, Nanoseconds value) { (*this)(name, value.count()); }
  void operator()(FieldName name, WallTime value) {
    (*this)(name, value.time_since_epoch().count());
  }
  template <class T>
  void operator()(FieldName name, const std::optional<T>& value) {
    if (value) {
      (*this)(name, *value);
    } else {
      statement_.bind(next_++);
    }
  }
  void text(FieldName name, const std::string& text) {
    if (text.empty()) {
      statement_.bind(next_++);
    } else {
      (*this)(name, text);
    }
  }
  void index(FieldName, std::int32_t value) {
    if (value == kNoIndex) {
      statement_.bind(next_++);
    } else {
      statement_.bind(next_++, value);
    }
  }
  void word(FieldName, const std::string& text) { statement_.bind(next_++, names_->code(text)); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void word(FieldName, Enum value) {
    statement_.bind(next_++, names_->code(to_string(value)));
  }
  template <class Row>
  void group(FieldName, const std::optional<Row>& row, const auto& columns) {
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
class ColumnReader : public FieldKinds<ColumnReader> {
 public:
  /// `names` is required if the list has coded columns.
  explicit ColumnReader(SQLite::Statement& statement, const NameReader* names = nullptr,
                        int first = 0)
      : statement_(statement), names_(names), next_(first) {}

  void operator()(FieldName, double& value) { value = next().getDouble(); }
  void operator()(FieldName, std::string& text) { text = next().getString(); }
  template <std::integral Number>
  void operator()(FieldName, Number& value) {
    value = static_cast<Number>(next().getInt64());
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(FieldName name, Enum& value) {
    value = from_name<Enum>(name, next().getString());
  }
  template <class Dimension>
  void operator()(FieldName, Quantity<Dimension>& value) {
    value = Quantity<Dimension>{next().getDouble()};
  }
  void operator()(FieldName, Nanoseconds& value) { value = Nanoseconds{next().getInt64()}; }
  void operator()(FieldName, WallTime& value) {
    value = WallTime{WallTime::duration{next().getInt64()}};
  }
  template <class T>
  void operator()(FieldName name, std::optional<T>& value) {
    if (statement_.isColumnNull(next_)) {
      value.reset();
      ++next_;
    } else {
      (*this)(name, value.emplace());
    }
  }
  void number(FieldName, double& value) {
    const SQLite::Column column = next();
    value = column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
  }
  void index(FieldName, std::int32_t& value) {
    const SQLite::Column column = next();
    value = column.isNull() ? kNoIndex : column.getInt();
  }
  void word(FieldName, std::string& text) { text = names_->name(next().getInt64()); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void word(FieldName name, Enum& value) {
    value = from_name<Enum>(name, names_->name(next().getInt64()));
  }
  /// A group is present if its first column is not NULL.
  template <class Row>
  void group(FieldName, std::optional<Row>& row, const auto& columns) {
    if (statement_.isColumnNull(next_)) {
      row.reset();
      next_ += ColumnNames::of<Row>(columns).count();
    } else {
      columns(*this, row.emplace());
    }
  }

 private:
  [[nodiscard]] SQLite::Column next() { return statement_.getColumn(next_++); }
  /// Throws SQLite::Exception (corrupt) if this program does not know the name.
  template <class Enum>
  [[nodiscard]] static Enum from_name(FieldName column, const std::string& name);

  SQLite::Statement& statement_;
  const NameReader* names_;
  int next_;
};

/// Reads all remaining rows of a statement.
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
