// The type of a column: an Arrow format string read into a tree.
// Owner: values inside; nothing borrowed from the ArrowSchema.
// Threads: a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/abi.hpp"

namespace labfactory {

// How the bytes of a column lie, which is also what reads them.
enum class Layout : std::uint8_t {
  unsupported,  // imports, but cannot be read
  null,
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  decimal128,
  date32,     // days
  date64,     // milliseconds
  time32,     // in `unit`
  time64,     // in `unit`
  timestamp,  // in `unit`, with `zone` or without
  duration,   // in `unit`
  utf8,
  large_utf8,
  utf8_view,
  binary,
  large_binary,
  binary_view,
  fixed_binary,  // `width` bytes
  list,
  large_list,
  fixed_list,  // `width` items
  map,         // a list of structs of key and value
  structure,
  dictionary,  // entries of `values`, by an index of layout `index`
};

enum class TimeUnit : std::uint8_t { second, millisecond, microsecond, nanosecond };

struct DataType {
  Layout layout = Layout::unsupported;
  Layout index = Layout::unsupported;  // of a dictionary
  TimeUnit unit = TimeUnit::second;
  bool is_nullable = true;
  std::int32_t width = 0;
  std::int32_t precision = 0;  // of a decimal
  std::int32_t scale = 0;      // of a decimal
  std::string name;
  std::string format;  // as the producer wrote it
  std::string zone;
  std::vector<DataType> children;
  std::vector<DataType> values;  // of a dictionary: exactly one

  // The layout of the values a reader sees: through the dictionary, if there is one.
  [[nodiscard]] Layout value_layout() const { return values.empty() ? layout : values.front().layout; }
};

// Reads a schema; an unknown format gives Layout::unsupported, a broken one Error(source, "arrow_malformed").
[[nodiscard]] DataType parse_schema(const ArrowSchema& schema);

// The type as people write it: "utf8", "list<int32>", "dictionary<int8, utf8>"; for messages.
[[nodiscard]] std::string type_name(const DataType& type);

[[nodiscard]] constexpr bool is_text(Layout layout) {
  return layout == Layout::utf8 || layout == Layout::large_utf8 || layout == Layout::utf8_view;
}
[[nodiscard]] constexpr bool is_binary(Layout layout) {
  return layout == Layout::binary || layout == Layout::large_binary || layout == Layout::binary_view ||
         layout == Layout::fixed_binary;
}
[[nodiscard]] constexpr bool is_integer(Layout layout) {
  return layout >= Layout::int8 && layout <= Layout::uint64;
}
[[nodiscard]] constexpr bool is_floating(Layout layout) {
  return layout == Layout::float32 || layout == Layout::float64;
}
[[nodiscard]] constexpr bool is_list(Layout layout) {
  return layout == Layout::list || layout == Layout::large_list || layout == Layout::fixed_list ||
         layout == Layout::map;
}

}  // namespace labfactory
