// A value of a running plan: 16 bytes, one of Jinja2's Python values as the Arrow table in docs/arrow.md maps
// them. Owner: a value owns nothing. Text, lists and records borrow from a bound batch, from a plan's
// constants or from the row's arena, and die with them. Threads: plain data.
#pragma once

#include <cstdint>
#include <string_view>

namespace labfactory {

enum class Kind : std::uint8_t {
  undefined,  // payload.integer: the constant that names it, or -1; length 1: silent also under strict, as
              // the missing else of an inline if
  none,
  boolean,      // payload.integer 0 or 1
  integer,      // payload.integer
  floating,     // payload.floating
  text,         // payload.text, length bytes of UTF-8
  markup,       // as text, already safe for the escape mode
  decimal,      // coefficient * 10^exponent: see values/decimal.hpp; length holds the exponent
  date,         // payload.integer: days since 1970-01-01
  timestamp,    // payload.integer: microseconds since 1970-01-01, no zone
  zoned,        // as timestamp, by the clock of the plan's zone `column`; length: its offset from UTC in
                // seconds, reserved: Python's fold
  time,         // payload.integer: microseconds since midnight
  duration,     // payload.integer: microseconds, a timedelta
  list,         // payload.items, length values in the arena or among the constants
  tuple,        // as list, made by a tuple literal
  dict,         // payload.items, length pairs of a key and its value; no key twice
  column_list,  // rows payload.integer .. + length of bound column `column`
  column_map,   // the same of the entries of bound map column `column`
  record,       // row payload.integer of bound struct column `column`
  pending,      // what a function will give; only while a row's calls are collected
};

struct Value {
  static constexpr std::uint8_t kIsGrowing = 1;  // of a list

  Kind kind = Kind::none;
  std::uint8_t reserved = 0;
  std::uint16_t column = 0;  // of what lies in columns: index in the plan's column table
  std::uint32_t length = 0;  // bytes of text, items of a list
  union Payload {
    std::int64_t integer;
    double floating;
    const char* text;
    const Value* items;
  } payload{.integer = 0};

  [[nodiscard]] static constexpr Value none() { return {}; }
  [[nodiscard]] static constexpr Value undefined(std::int64_t name = -1, bool silent = false) {
    Value v;
    v.kind = Kind::undefined;
    v.length = silent ? 1 : 0;
    v.payload.integer = name;
    return v;
  }
  [[nodiscard]] static constexpr Value boolean(bool b) {
    Value v;
    v.kind = Kind::boolean;
    v.payload.integer = b ? 1 : 0;
    return v;
  }
  [[nodiscard]] static constexpr Value integer(std::int64_t i) {
    Value v;
    v.kind = Kind::integer;
    v.payload.integer = i;
    return v;
  }
  [[nodiscard]] static constexpr Value floating(double f) {
    Value v;
    v.kind = Kind::floating;
    v.payload.floating = f;
    return v;
  }
  [[nodiscard]] static constexpr Value text(std::string_view s, bool markup = false) {
    Value v;
    v.kind = markup ? Kind::markup : Kind::text;
    v.length = static_cast<std::uint32_t>(s.size());
    v.payload.text = s.data();
    return v;
  }
  [[nodiscard]] static constexpr Value date(std::int64_t days) {
    Value v;
    v.kind = Kind::date;
    v.payload.integer = days;
    return v;
  }
  [[nodiscard]] static constexpr Value timestamp(std::int64_t microseconds) {
    Value v;
    v.kind = Kind::timestamp;
    v.payload.integer = microseconds;
    return v;
  }
  // The civil time of a zone that is `offset` seconds east of UTC there.
  [[nodiscard]] static constexpr Value zoned(std::int64_t microseconds, std::uint16_t zone,
                                             std::int32_t offset, bool fold = false) {
    Value v;
    v.kind = Kind::zoned;
    v.reserved = fold ? 1 : 0;
    v.column = zone;
    v.length = static_cast<std::uint32_t>(offset);
    v.payload.integer = microseconds;
    return v;
  }
  [[nodiscard]] static constexpr Value time(std::int64_t microseconds) {
    Value v;
    v.kind = Kind::time;
    v.payload.integer = microseconds;
    return v;
  }
  [[nodiscard]] static constexpr Value duration(std::int64_t microseconds) {
    Value v;
    v.kind = Kind::duration;
    v.payload.integer = microseconds;
    return v;
  }
  [[nodiscard]] static constexpr Value list(const Value* items, std::uint32_t length,
                                            Kind kind = Kind::list) {
    Value v;
    v.kind = kind;
    v.length = length;
    v.payload.items = items;
    return v;
  }
  // A list with room behind its end up to the next power of two: what only append() makes, and only it reads.
  [[nodiscard]] static constexpr Value growing_list(const Value* items, std::uint32_t length) {
    Value v = list(items, length);
    v.reserved = kIsGrowing;
    return v;
  }
  [[nodiscard]] constexpr bool is_growing() const { return reserved == kIsGrowing; }
  [[nodiscard]] static constexpr Value dict(const Value* pairs, std::uint32_t length) {
    return list(pairs, length, Kind::dict);
  }
  [[nodiscard]] static constexpr Value column_list(std::uint16_t column, std::int64_t first,
                                                   std::uint32_t length) {
    Value v;
    v.kind = Kind::column_list;
    v.column = column;
    v.length = length;
    v.payload.integer = first;
    return v;
  }
  [[nodiscard]] static constexpr Value column_map(std::uint16_t column, std::int64_t first,
                                                  std::uint32_t length) {
    Value v = column_list(column, first, length);
    v.kind = Kind::column_map;
    return v;
  }
  [[nodiscard]] static constexpr Value record(std::uint16_t column, std::int64_t row) {
    Value v;
    v.kind = Kind::record;
    v.column = column;
    v.payload.integer = row;
    return v;
  }

  [[nodiscard]] constexpr bool is_text() const { return kind == Kind::text || kind == Kind::markup; }
  [[nodiscard]] constexpr bool is_number() const {
    return kind == Kind::integer || kind == Kind::floating || kind == Kind::boolean;
  }
  // Seconds east of UTC, of a zoned.
  [[nodiscard]] constexpr std::int32_t offset() const { return static_cast<std::int32_t>(length); }
  [[nodiscard]] constexpr std::string_view view() const { return {payload.text, length}; }
};

static_assert(sizeof(Value) == 16);

// What prints other values, quoted.
[[nodiscard]] constexpr bool is_container(const Value& value) {
  return value.kind >= Kind::list && value.kind <= Kind::record;
}

}  // namespace labfactory
