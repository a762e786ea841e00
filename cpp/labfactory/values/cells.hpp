// The columns of a plan, bound to one batch: where values are read.
// Owner: borrows the batch's columns; the machine that binds them keeps the batch alive.
// Threads: read-only once bound.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/values/outcome.hpp"
#include "labfactory/values/type.hpp"
#include "labfactory/values/value.hpp"
#include "labfactory/values/zone.hpp"

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
  decimal,
  date,
  timestamp,
  zoned,
  time,
  duration,
  list,
  map,
  record
};

// The few layouts that most data has, read without asking the column; the rest goes by way of read_plain.
enum class Access : std::uint8_t { plain, int64, int32, float64, utf8, utf8_view, boolean, list, record };

// Where such cells lie, copied out of the column when it is bound; row 0 has bit first_bit of validity.
struct Reader {
  Access access = Access::plain;
  std::uint16_t number = 0;                // of the column in the plan
  const std::uint8_t* validity = nullptr;  // null where every row is valid
  std::int64_t first_bit = 0;
  const char* values = nullptr;
  const char* offsets = nullptr;
  const void* const* variadic = nullptr;
};

struct Cell {
  const Column* column = nullptr;
  Reading reading = Reading::null;
  std::int64_t scale = 1;    // dates and times: microseconds (or days) a unit; negative divides
  std::int32_t items = -1;   // list: the plan's column of its values; map: of its keys
  std::int32_t values = -1;  // map: the plan's column of its values
  std::uint16_t zone = 0;    // zoned: of the plan
  std::vector<std::pair<std::string_view, std::int32_t>> fields;  // record: the plan's columns of its fields
};

class Cells {
 public:
  [[nodiscard]] const Cell& at(std::size_t column) const { return cells_[column]; }
  [[nodiscard]] Cell& at(std::size_t column) { return cells_[column]; }

  // For a machine that reads a column's layout itself.
  [[nodiscard]] const Reader& reader(std::size_t column) const { return readers_[column]; }

  void reserve(std::size_t columns) { cells_.reserve(columns); }
  // The next column of the plan.
  void append(Cell cell);

  // The value of a cell; null is None.
  [[nodiscard]] Outcome read(std::size_t column, std::int64_t row, Value& out) const {
    const Reader& reader = readers_[column];
    if (reader.validity != nullptr && !bit(reader.validity, reader.first_bit + row)) {
      out = Value::none();
      return Outcome::ok;
    }
    switch (reader.access) {
      case Access::int64:
        out = Value::integer(load<std::int64_t>(reader.values, row));
        return Outcome::ok;
      case Access::int32:
        out = Value::integer(load<std::int32_t>(reader.values, row));
        return Outcome::ok;
      case Access::float64:
        out = Value::floating(load<double>(reader.values, row));
        return Outcome::ok;
      case Access::utf8: {
        const auto first = load<std::int32_t>(reader.offsets, row);
        const auto last = load<std::int32_t>(reader.offsets, row + 1);
        out = Value::text({reader.values + first, static_cast<std::size_t>(last - first)});
        return Outcome::ok;
      }
      case Access::utf8_view:
        out = Value::text(view(reader, row));
        return Outcome::ok;
      case Access::boolean:
        out =
            Value::boolean(bit(reinterpret_cast<const std::uint8_t*>(reader.values), reader.first_bit + row));
        return Outcome::ok;
      case Access::list: {
        const auto first = load<std::int32_t>(reader.offsets, row);
        const auto last = load<std::int32_t>(reader.offsets, row + 1);
        out = Value::column_list(reader.number, first, static_cast<std::uint32_t>(last - first));
        return Outcome::ok;
      }
      case Access::record:
        out = Value::record(reader.number, row);
        return Outcome::ok;
      case Access::plain:
        break;
    }
    return read_plain(column, row, out);
  }

  // The same by way of the column, whatever its layout.
  [[nodiscard]] Outcome read_plain(std::size_t column, std::int64_t row, Value& out) const;

  // An item of a column_list; index within its length.
  [[nodiscard]] Outcome item(const Value& list, std::uint32_t index, Value& out) const {
    return read(static_cast<std::size_t>(cells_[list.column].items), list.payload.integer + index, out);
  }

  // An entry of a column_map; index within its length.
  [[nodiscard]] Outcome map_key(const Value& map, std::uint32_t index, Value& out) const {
    return read(static_cast<std::size_t>(cells_[map.column].items), map.payload.integer + index, out);
  }
  [[nodiscard]] Outcome map_value(const Value& map, std::uint32_t index, Value& out) const {
    return read(static_cast<std::size_t>(cells_[map.column].values), map.payload.integer + index, out);
  }

  // The plan's zones, of which zoned values have the numbers.
  [[nodiscard]] const Zone& zone(std::uint16_t number) const { return zones_[number]; }
  void set_zones(std::span<const Zone> zones) { zones_ = zones; }

  // The field of a record by name; -1 where it has none that the plan reads.
  [[nodiscard]] std::int32_t field(const Value& record, std::string_view name) const {
    for (const auto& [field, column] : cells_[record.column].fields) {
      if (field == name) return column;
    }
    return -1;
  }
  // Whether the struct itself has such a field, read or not.
  [[nodiscard]] bool has_field(const Value& record, std::string_view name) const;

 private:
  template <class T>
  static T load(const char* at, std::int64_t i) {
    T value;
    std::memcpy(&value, at + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
  static bool bit(const std::uint8_t* bits, std::int64_t i) { return ((bits[i >> 3] >> (i & 7)) & 1) != 0; }
  static std::string_view view(const Reader& reader, std::int64_t row) {
    const char* const at = reader.values + row * 16;
    const auto size = static_cast<std::size_t>(load<std::int32_t>(at, 0));
    // Up to 12 bytes lie in the view itself.
    if (size <= 12) return {at + 4, size};
    return {static_cast<const char*>(reader.variadic[load<std::int32_t>(at, 2)]) + load<std::int32_t>(at, 3),
            size};
  }
  Outcome read_other(std::size_t column, const Cell& cell, std::int64_t row, Value& out) const;
  Outcome read_moment(const Cell& cell, std::int64_t row, Value& out) const;

  std::vector<Cell> cells_;
  std::vector<Reader> readers_;
  std::span<const Zone> zones_;
};

// The instant, in microseconds since 1970-01-01 UTC, by the clock of a zone; out_of_range outside the years 1
// to 9999.
[[nodiscard]] Outcome in_zone(const Cells& cells, std::int64_t utc, std::uint16_t zone, Value& out);
// What the clock of a zone shows; float_overflow, Python's OverflowError, outside those years.
[[nodiscard]] Outcome on_clock(const Cells& cells, std::int64_t civil, std::uint16_t zone, bool fold,
                               Value& out);

}  // namespace labfactory
