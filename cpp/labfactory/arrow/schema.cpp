#include "labfactory/arrow/schema.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "labfactory/base/error.hpp"

namespace labfactory {

namespace {

// Deeper schemas than this are not data but an attack on the stack.
constexpr int kMaximumDepth = 64;

struct Simple {
  std::string_view format;
  Layout layout;
  TimeUnit unit;
};

constexpr std::array kSimple = {
    Simple{"n", Layout::null, {}},
    Simple{"b", Layout::boolean, {}},
    Simple{"c", Layout::int8, {}},
    Simple{"C", Layout::uint8, {}},
    Simple{"s", Layout::int16, {}},
    Simple{"S", Layout::uint16, {}},
    Simple{"i", Layout::int32, {}},
    Simple{"I", Layout::uint32, {}},
    Simple{"l", Layout::int64, {}},
    Simple{"L", Layout::uint64, {}},
    Simple{"f", Layout::float32, {}},
    Simple{"g", Layout::float64, {}},
    Simple{"u", Layout::utf8, {}},
    Simple{"U", Layout::large_utf8, {}},
    Simple{"vu", Layout::utf8_view, {}},
    Simple{"z", Layout::binary, {}},
    Simple{"Z", Layout::large_binary, {}},
    Simple{"vz", Layout::binary_view, {}},
    Simple{"tdD", Layout::date32, {}},
    Simple{"tdm", Layout::date64, TimeUnit::millisecond},
    Simple{"tts", Layout::time32, TimeUnit::second},
    Simple{"ttm", Layout::time32, TimeUnit::millisecond},
    Simple{"ttu", Layout::time64, TimeUnit::microsecond},
    Simple{"ttn", Layout::time64, TimeUnit::nanosecond},
    Simple{"tDs", Layout::duration, TimeUnit::second},
    Simple{"tDm", Layout::duration, TimeUnit::millisecond},
    Simple{"tDu", Layout::duration, TimeUnit::microsecond},
    Simple{"tDn", Layout::duration, TimeUnit::nanosecond},
    Simple{"+l", Layout::list, {}},
    Simple{"+L", Layout::large_list, {}},
    Simple{"+m", Layout::map, {}},
    Simple{"+s", Layout::structure, {}},
};

// In the order of Layout.
constexpr std::array<std::string_view, 33> kNames = {
    "unsupported", "null",       "boolean", "int8",         "int16",       "int32",        "int64",
    "uint8",       "uint16",     "uint32",  "uint64",       "float32",     "float64",      "decimal128",
    "date32",      "date64",     "time32",  "time64",       "timestamp",   "duration",     "utf8",
    "large_utf8",  "utf8_view",  "binary",  "large_binary", "binary_view", "fixed_binary", "list",
    "large_list",  "fixed_list", "map",     "struct",       "dictionary"};
static_assert(kNames.size() == static_cast<std::size_t>(Layout::dictionary) + 1);

[[noreturn]] void malformed(const DataType& type, const std::string& found) {
  throw Error(ErrorKind::source, "arrow_malformed", "Arrow schema of '" + type.name + "': " + found);
}

// The numbers of "w:16" or "d:10,2", comma-separated, after the colon.
std::vector<std::int32_t> numbers(const DataType& type, std::string_view text) {
  std::vector<std::int32_t> read;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at <= end) {
    std::int32_t value = 0;
    const auto [next, problem] = std::from_chars(at, end, value);
    if (problem != std::errc{} || (next != end && *next != ','))
      malformed(type, "expected numbers in format '" + type.format + "'");
    read.push_back(value);
    at = next + 1;
  }
  return read;
}

std::int32_t width_of(const DataType& type, std::string_view text) {
  const auto read = numbers(type, text);
  if (read.size() != 1 || read[0] < 0) malformed(type, "expected one width in format '" + type.format + "'");
  return read[0];
}

TimeUnit unit_of(char letter) {
  switch (letter) {
    case 's':
      return TimeUnit::second;
    case 'm':
      return TimeUnit::millisecond;
    case 'u':
      return TimeUnit::microsecond;
    default:
      return TimeUnit::nanosecond;
  }
}

void read_decimal(DataType& type, std::string_view text) {
  const auto read = numbers(type, text);
  if (read.size() < 2) malformed(type, "expected precision and scale in format '" + type.format + "'");
  if (read.size() == 3 && read[2] != 128) return;
  type.layout = Layout::decimal128;
  type.precision = read[0];
  type.scale = read[1];
}

void read_format(DataType& type) {
  const std::string_view format = type.format;
  for (const Simple& simple : kSimple) {
    if (format == simple.format) {
      type.layout = simple.layout;
      type.unit = simple.unit;
      return;
    }
  }
  if (format.starts_with("ts") && format.size() >= 4 && format[3] == ':') {
    type.layout = Layout::timestamp;
    type.unit = unit_of(format[2]);
    type.zone = format.substr(4);
  } else if (format.starts_with("d:")) {
    read_decimal(type, format.substr(2));
  } else if (format.starts_with("w:")) {
    type.layout = Layout::fixed_binary;
    type.width = width_of(type, format.substr(2));
  } else if (format.starts_with("+w:")) {
    type.layout = Layout::fixed_list;
    type.width = width_of(type, format.substr(3));
  }
}

DataType parse(const ArrowSchema& schema, int depth) {
  DataType type;
  type.name = schema.name == nullptr ? "" : schema.name;
  if (schema.format == nullptr) malformed(type, "expected a format, found none");
  type.format = schema.format;
  type.is_nullable = (schema.flags & ARROW_FLAG_NULLABLE) != 0;
  if (depth > kMaximumDepth)
    malformed(type, "nested deeper than " + std::to_string(kMaximumDepth) + " levels");
  read_format(type);
  if (schema.n_children < 0 || (schema.n_children > 0 && schema.children == nullptr))
    malformed(type, "expected children, found none");
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (schema.children[i] == nullptr) malformed(type, "expected a child, found null");
    type.children.push_back(parse(*schema.children[i], depth + 1));
  }
  if (is_list(type.layout) && type.children.size() != 1)
    malformed(type, "expected 1 child of a list, found " + std::to_string(type.children.size()));
  if (type.layout == Layout::map && type.children[0].layout != Layout::structure)
    malformed(type, "expected a map's entries to be structs, found " + type_name(type.children[0]));
  if (schema.dictionary != nullptr) {
    type.values.push_back(parse(*schema.dictionary, depth + 1));
    type.index = type.layout;
    type.layout = Layout::dictionary;
    if (!is_integer(type.index))
      malformed(type, "expected an integer dictionary index, found format '" + type.format + "'");
  }
  return type;
}

std::string unread_name(const std::string& format) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kUnread = {{
      {"e", "half float"},
      {"+vl", "list view"},
      {"+vL", "large list view"},
      {"+r", "run-end encoded"},
      {"tiM", "interval"},
      {"tiD", "interval"},
      {"tin", "interval"},
      {"+u", "union"},
  }};
  for (const auto& [start, name] : kUnread) {
    if (format.starts_with(start)) return std::string(name);
  }
  if (format.starts_with("d:")) return "decimal of another width than 128 bits";
  return "format '" + format + "'";
}

std::string unit_name(TimeUnit unit) {
  constexpr std::array<std::string_view, 4> kUnits = {"s", "ms", "us", "ns"};
  return std::string(kUnits.at(static_cast<std::size_t>(unit)));
}

}  // namespace

DataType parse_schema(const ArrowSchema& schema) {
  return parse(schema, 0);
}

std::string type_name(const DataType& type) {
  std::string name(kNames.at(static_cast<std::size_t>(type.layout)));
  switch (type.layout) {
    case Layout::unsupported:
      return unread_name(type.format);
    case Layout::list:
    case Layout::large_list:
    case Layout::map:
      return name + "<" + type_name(type.children[0]) + ">";
    case Layout::fixed_list:
      return name + "<" + type_name(type.children[0]) + ", " + std::to_string(type.width) + ">";
    case Layout::fixed_binary:
      return name + "<" + std::to_string(type.width) + ">";
    case Layout::decimal128:
      return name + "<" + std::to_string(type.precision) + ", " + std::to_string(type.scale) + ">";
    case Layout::timestamp:
      return name + "<" + unit_name(type.unit) + (type.zone.empty() ? "" : ", " + type.zone) + ">";
    case Layout::time32:
    case Layout::time64:
    case Layout::duration:
      return name + "<" + unit_name(type.unit) + ">";
    case Layout::dictionary:
      return name + "<" + std::string(kNames.at(static_cast<std::size_t>(type.index))) + ", " +
             type_name(type.values[0]) + ">";
    case Layout::structure: {
      std::string fields;
      for (const DataType& child : type.children)
        fields += (fields.empty() ? "" : ", ") + child.name + ": " + type_name(child);
      return name + "<" + fields + ">";
    }
    default:
      return name;
  }
}

}  // namespace labfactory
