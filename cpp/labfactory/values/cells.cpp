#include "labfactory/values/cells.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// A value counts its bytes in 32 bits.
constexpr std::size_t kMostText = std::numeric_limits<std::uint32_t>::max();

// Whole units below a microsecond cannot be held by datetime: never truncated.
Outcome scaled(std::int64_t stored, std::int64_t scale, std::int64_t& out) {
  if (scale > 0) return __builtin_mul_overflow(stored, scale, &out) ? Outcome::out_of_range : Outcome::ok;
  if (stored % scale != 0) return Outcome::out_of_range;
  out = stored / -scale;
  return Outcome::ok;
}

std::int64_t floor_seconds(std::int64_t microseconds) {
  return microseconds / kSecondMicroseconds - (microseconds % kSecondMicroseconds < 0 ? 1 : 0);
}

bool is_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    if (next.value == kNotUtf8) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

Access access_of(const Cell& cell) {
  const Layout layout = cell.column->layout();
  switch (cell.reading) {
    case Reading::integer:
      return layout == Layout::int64   ? Access::int64
             : layout == Layout::int32 ? Access::int32
                                       : Access::plain;
    case Reading::floating:
      return layout == Layout::float64 ? Access::float64 : Access::plain;
    case Reading::boolean:
      return layout == Layout::boolean ? Access::boolean : Access::plain;
    case Reading::text:
      return layout == Layout::utf8        ? Access::utf8
             : layout == Layout::utf8_view ? Access::utf8_view
                                           : Access::plain;
    case Reading::list:
      return layout == Layout::list ? Access::list : Access::plain;
    case Reading::record:
      return Access::record;
    default:
      return Access::plain;
  }
}

}  // namespace

void Cells::append(Cell cell) {
  const Column& column = *cell.column;
  const auto number = static_cast<std::uint16_t>(cells_.size());
  Reader reader{.access = access_of(cell), .number = number};
  if (reader.access != Access::plain) {
    reader.validity = column.validity_bits();
    reader.first_bit = column.first_bit();
    const std::uint8_t* const bits = column.value_bits();
    reader.values = bits != nullptr ? reinterpret_cast<const char*>(bits) : column.values();
    reader.offsets = column.offsets();
    reader.variadic = column.variadic();
  }
  cells_.push_back(std::move(cell));
  readers_.push_back(reader);
}

Outcome Cells::read_plain(std::size_t column, std::int64_t row, Value& out) const {
  const Cell& cell = cells_[column];
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

Outcome Cells::read_other(std::size_t column, const Cell& cell, std::int64_t row, Value& out) const {
  switch (cell.reading) {
    case Reading::unsigned64:
      if (cell.column->exceeds_int64(row)) return Outcome::int_overflow;
      out = Value::integer(cell.column->integer(row));
      return Outcome::ok;
    case Reading::large_text: {
      const std::string_view text = cell.column->text(row);
      if (text.size() > kMostText) return Outcome::asset_too_large;
      out = Value::text(text);
      return Outcome::ok;
    }
    case Reading::bytes: {
      const std::string_view bytes = cell.column->text(row);
      if (bytes.size() > kMostText) return Outcome::asset_too_large;
      if (!is_utf8(bytes)) return Outcome::encoding;
      out = Value::text(bytes);
      return Outcome::ok;
    }
    case Reading::decimal:
      out = decimal_value(cell.column->decimal_bytes(row), static_cast<std::int32_t>(-cell.scale));
      return Outcome::ok;
    case Reading::date:
    case Reading::timestamp:
    case Reading::zoned:
    case Reading::time:
    case Reading::duration:
      return read_moment(cell, row, out);
    case Reading::list: {
      const Range range = cell.column->list_range(row);
      out = Value::column_list(static_cast<std::uint16_t>(column), range.first,
                               static_cast<std::uint32_t>(range.size()));
      return Outcome::ok;
    }
    case Reading::map: {
      const Range range = cell.column->list_range(row);
      out = Value::column_map(static_cast<std::uint16_t>(column), range.first,
                              static_cast<std::uint32_t>(range.size()));
      return Outcome::ok;
    }
    case Reading::record:
      out = Value::record(static_cast<std::uint16_t>(column), row);
      return Outcome::ok;
    default:
      out = Value::none();
      return Outcome::ok;
  }
}

Outcome Cells::read_moment(const Cell& cell, std::int64_t row, Value& out) const {
  std::int64_t value = 0;
  if (const Outcome o = scaled(cell.column->integer(row), cell.scale, value); o != Outcome::ok) return o;
  switch (cell.reading) {
    case Reading::date:
      out = Value::date(value);
      return is_date(value) ? Outcome::ok : Outcome::out_of_range;
    case Reading::timestamp:
      out = Value::timestamp(value);
      return is_timestamp(value) ? Outcome::ok : Outcome::out_of_range;
    case Reading::time:
      out = Value::time(value);
      return value >= 0 && value < kDayMicroseconds ? Outcome::ok : Outcome::out_of_range;
    case Reading::duration:
      out = Value::duration(value);
      return Outcome::ok;
    default:
      return in_zone(*this, value, cell.zone, out);
  }
}

bool Cells::has_field(const Value& record, std::string_view name) const {
  const auto& fields = at(record.column).column->type().children;
  return std::any_of(fields.begin(), fields.end(), [&](const DataType& field) { return field.name == name; });
}

Outcome in_zone(const Cells& cells, std::int64_t utc, std::uint16_t zone, Value& out) {
  if (!is_timestamp(utc)) return Outcome::out_of_range;
  const std::int64_t second = floor_seconds(utc);
  bool fold = false;
  const Zone::Rule rule = cells.zone(zone).at_utc(second, fold);
  const std::int64_t civil = utc + rule.offset * kSecondMicroseconds;
  out = Value::zoned(civil, zone, rule.offset, fold);
  return is_timestamp(civil) ? Outcome::ok : Outcome::out_of_range;
}

Outcome on_clock(const Cells& cells, std::int64_t civil, std::uint16_t zone, bool fold, Value& out) {
  const Zone::Rule rule = cells.zone(zone).at_civil(floor_seconds(civil), fold);
  out = Value::zoned(civil, zone, rule.offset, fold);
  return is_timestamp(civil) ? Outcome::ok : Outcome::float_overflow;
}

}  // namespace labfactory
