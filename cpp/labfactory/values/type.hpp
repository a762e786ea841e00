// The logical types of columns that plans know: what a cell is to a template, whatever its physical layout.
// Owner: constants only.
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace labfactory {

enum class LogicalType : std::uint8_t {
  null,
  boolean,
  integer,
  floating,
  text,
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

inline constexpr std::array<std::string_view, 14> kLogicalTypes = {
    "null",      "boolean", "integer", "floating", "text", "decimal", "date",
    "timestamp", "zoned",   "time",    "duration", "list", "map",     "record"};

}  // namespace labfactory
