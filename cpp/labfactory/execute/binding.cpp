#include "labfactory/execute/binding.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "labfactory/base/error.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kMillisecondsADay = 86'400'000;

const Column& find(const Program& program, const ColumnUse& use, const Batch& batch, const Cells& cells) {
  if (use.role == ColumnRole::root) return batch.column(use.name);
  const Column& parent = *cells.at(static_cast<std::size_t>(use.parent)).column;
  if (use.role == ColumnRole::item) return parent.child(0);
  // A map is a list of structs of key and value.
  if (use.role == ColumnRole::key) return parent.child(0).child(0);
  if (use.role == ColumnRole::value) return parent.child(0).child(1);
  const Column* field = parent.field(use.name);
  if (field == nullptr) {
    throw Error(ErrorKind::source, "missing_column",
                "expected field '" + use.name + "' of column '" +
                    program.columns[static_cast<std::size_t>(use.parent)].name + "', found none");
  }
  return *field;
}

// Microseconds a unit of a timestamp, or negative: units a microsecond.
std::int64_t microseconds(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::second:
      return 1'000'000;
    case TimeUnit::millisecond:
      return 1'000;
    case TimeUnit::microsecond:
      return 1;
    case TimeUnit::nanosecond:
      return -1'000;
  }
  return 1;
}

[[noreturn]] void wrong_type(const ColumnUse& use, const Column& column) {
  throw Error(ErrorKind::source, "column_type",
              "expected column '" + use.name + "' of type " +
                  std::string(kLogicalTypes[static_cast<std::size_t>(use.type)]) + ", found " +
                  type_name(column.type()),
              "compile the plan against the schema of this data");
}

// Zones are the same by the name that Python prints: "+00:00" is UTC.
std::string zone_name(const DataType& type) {
  const auto spelled = Zone::spelled(type.zone);
  return spelled ? spelled->name() : type.zone;
}

Cell bound(const Program& program, const ColumnUse& use, const Column& column) {
  Cell cell;
  cell.column = &column;
  const Layout layout = column.value_layout();
  const DataType& type = column.type().values.empty() ? column.type() : column.type().values.front();
  if (layout == Layout::null) return cell;
  const bool is_direct = column.layout() != Layout::dictionary;
  bool fits = false;
  switch (use.type) {
    case LogicalType::null:
      break;
    case LogicalType::boolean:
      fits = layout == Layout::boolean;
      cell.reading = Reading::boolean;
      break;
    case LogicalType::integer:
      fits = is_integer(layout);
      cell.reading = layout == Layout::uint64 ? Reading::unsigned64 : Reading::integer;
      break;
    case LogicalType::floating:
      fits = is_floating(layout);
      cell.reading = Reading::floating;
      break;
    case LogicalType::text:
      fits = is_text(layout) || is_binary(layout);
      cell.reading = layout == Layout::large_utf8 ? Reading::large_text
                     : is_text(layout)            ? Reading::text
                                                  : Reading::bytes;
      break;
    case LogicalType::date:
      fits = layout == Layout::date32 || layout == Layout::date64;
      cell.reading = Reading::date;
      cell.scale = layout == Layout::date64 ? -kMillisecondsADay : 1;
      break;
    case LogicalType::timestamp:
      fits = layout == Layout::timestamp && type.zone.empty();
      cell.reading = Reading::timestamp;
      cell.scale = microseconds(type.unit);
      break;
    case LogicalType::zoned:
      fits = layout == Layout::timestamp && !type.zone.empty() &&
             zone_name(type) == program.zones[static_cast<std::size_t>(use.zone)].name();
      cell.reading = Reading::zoned;
      cell.scale = microseconds(type.unit);
      cell.zone = static_cast<std::uint16_t>(use.zone);
      break;
    case LogicalType::time:
      fits = layout == Layout::time32 || layout == Layout::time64;
      cell.reading = Reading::time;
      cell.scale = microseconds(type.unit);
      break;
    case LogicalType::duration:
      fits = layout == Layout::duration;
      cell.reading = Reading::duration;
      cell.scale = microseconds(type.unit);
      break;
    case LogicalType::decimal:
      fits = layout == Layout::decimal128;
      cell.reading = Reading::decimal;
      cell.scale = type.scale;
      break;
    case LogicalType::map:
      fits = is_direct && layout == Layout::map;
      cell.reading = Reading::map;
      break;
    case LogicalType::list:
      fits = is_direct && is_list(layout) && layout != Layout::map;
      cell.reading = Reading::list;
      break;
    case LogicalType::record:
      fits = is_direct && layout == Layout::structure;
      cell.reading = Reading::record;
      break;
  }
  if (!fits) wrong_type(use, column);
  return cell;
}

// A struct is a dict in its own order, whatever order a plan reads its fields in.
void order_fields(Cell& cell) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (const DataType& field : cell.column->type().children) places.emplace(field.name, places.size());
  std::sort(cell.fields.begin(), cell.fields.end(),
            [&](const auto& a, const auto& b) { return places.at(a.first) < places.at(b.first); });
}

}  // namespace

Binding::Binding(const Program& program, std::shared_ptr<const Batch> batch, Memo* memo)
    : batch_(std::move(batch)), memo_(memo) {
  cells_.reserve(program.columns.size());
  cells_.set_zones(program.zones);
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const ColumnUse& use = program.columns[i];
    const bool absent_parent = use.role != ColumnRole::root &&
                               cells_.at(static_cast<std::size_t>(use.parent)).reading == Reading::null;
    // Below a column of Arrow's null type there is nothing to read, and nothing will be.
    cells_.append(absent_parent ? cells_.at(static_cast<std::size_t>(use.parent))
                                : bound(program, use, find(program, use, *batch_, cells_)));
    if (use.role == ColumnRole::root) continue;
    Cell& parent = cells_.at(static_cast<std::size_t>(use.parent));
    const auto number = static_cast<std::int32_t>(i);
    if (use.role == ColumnRole::item || use.role == ColumnRole::key) {
      parent.items = number;
    } else if (use.role == ColumnRole::value) {
      parent.values = number;
    } else {
      parent.fields.emplace_back(use.name, number);
    }
  }
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (cells_.at(i).reading == Reading::record) order_fields(cells_.at(i));
  }
}

}  // namespace labfactory
