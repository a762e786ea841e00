// The columns of a plan, bound to one batch: where values are read.
// Owner: borrows the batch's columns; the machine that binds them keeps the batch alive.
// Threads: read-only once bound.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/values/outcome.hpp"
#include "labfactory/values/type.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory {

// How the cells of one column are read; fixed when the column is bound so that a row costs one jump.
enum class Reading : std::uint8_t {
  null,
  boolean,
  integer,
  unsigned64,
  floating,
  text,
  large_text,
  bytes,
  date,
  timestamp,
  list,
  record
};

struct Cell {
  const Column* column = nullptr;
  Reading reading = Reading::null;
  std::int64_t scale = 1;   // date64 and timestamp: units a microsecond (or a day); negative divides
  std::int32_t items = -1;  // list: the plan's column of its values
  std::vector<std::pair<std::string_view, std::int32_t>> fields;  // record: the plan's columns of its fields
};

class Cells {
 public:
  std::vector<Cell> cells;

  [[nodiscard]] const Cell& at(std::size_t column) const { return cells[column]; }

  // The value of a cell; null is None.
  [[nodiscard]] Outcome read(std::size_t column, std::int64_t row, Value& out) const {
    const Cell& cell = cells[column];
    if (!cell.column->is_valid(row)) {
      out = Value::none();
      return Outcome::ok;
    }
    switch (cell.reading) {
      case Reading::integer:
        out = Value::integer(cell.column->integer(row));
        return Outcome::ok;
      case Reading::floating:
        out = Value::floating(cell.column->floating(row));
        return Outcome::ok;
      case Reading::text:
        out = Value::text(cell.column->text(row));
        return Outcome::ok;
      case Reading::boolean:
        out = Value::boolean(cell.column->boolean(row));
        return Outcome::ok;
      default:
        return read_other(column, cell, row, out);
    }
  }

  // An item of a column_list; index within its length.
  [[nodiscard]] Outcome item(const Value& list, std::uint32_t index, Value& out) const {
    return read(static_cast<std::size_t>(cells[list.column].items), list.payload.integer + index, out);
  }

  // The field of a record by name; -1 where it has none.
  [[nodiscard]] std::int32_t field(const Value& record, std::string_view name) const {
    for (const auto& [field, column] : cells[record.column].fields) {
      if (field == name) return column;
    }
    return -1;
  }

 private:
  static Outcome read_other(std::size_t column, const Cell& cell, std::int64_t row, Value& out);
};

}  // namespace labfactory
