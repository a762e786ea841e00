#include "labfactory/execute/binding.hpp"

#include "labfactory/base/error.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kMillisecondsADay = 86'400'000;

const Column& find(const Program& program, const ColumnUse& use, const Batch& batch, const Cells& cells) {
  if (use.role == ColumnRole::root) return batch.column(use.name);
  const Column& parent = *cells.at(static_cast<std::size_t>(use.parent)).column;
  if (use.role == ColumnRole::item) return parent.child(0);
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

Cell bound(const ColumnUse& use, const Column& column) {
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

}  // namespace

Binding::Binding(const Program& program, std::shared_ptr<const Batch> batch, Memo* memo)
    : batch_(std::move(batch)), memo_(memo) {
  cells_.reserve(program.columns.size());
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const ColumnUse& use = program.columns[i];
    const bool absent_parent = use.role != ColumnRole::root &&
                               cells_.at(static_cast<std::size_t>(use.parent)).reading == Reading::null;
    // Below a column of Arrow's null type there is nothing to read, and nothing will be.
    cells_.append(absent_parent ? cells_.at(static_cast<std::size_t>(use.parent))
                                : bound(use, find(program, use, *batch_, cells_)));
    if (use.role == ColumnRole::root) continue;
    Cell& parent = cells_.at(static_cast<std::size_t>(use.parent));
    if (use.role == ColumnRole::item) {
      parent.items = static_cast<std::int32_t>(i);
    } else {
      parent.fields.emplace_back(use.name, static_cast<std::int32_t>(i));
    }
  }
}

}  // namespace labfactory
