#include "labfactory/arrow/row_values.hpp"

#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/owner.hpp"

namespace labfactory {

namespace {

// A view of text holds up to so many bytes itself.
constexpr std::size_t kInlineText = 12;

bool is_settable(Layout layout) {
  return layout == Layout::boolean || is_integer(layout) || is_floating(layout) || is_text(layout) ||
         layout == Layout::decimal128 || (layout >= Layout::date32 && layout <= Layout::duration);
}

std::string format_of(const DataType& type) {
  if (is_text(type.layout)) return "vu";
  return is_settable(type.layout) ? type.format : "n";
}

// The schema of a record batch with these columns.
UniqueSchema schema_of(const std::vector<DataType>& types) {
  ArrayData root;
  root.format = "+s";
  for (const DataType& type : types) {
    ArrayData column;
    column.format = format_of(type);
    root.children.push_back({type.name, std::make_shared<const ArrayData>(std::move(column))});
  }
  ArrowSchema schema;
  export_schema(root, &schema);
  return UniqueSchema(&schema);
}

// Nothing to free: the memory is the row's.
void release(ArrowArray* array) {
  array->release = nullptr;
}

template <class T>
bool holds(std::int64_t value) {
  return std::in_range<T>(value);
}

// Units of a day or of a microsecond; false where the value has a fraction of one or too many.
bool to_unit(std::int64_t microseconds, TimeUnit unit, std::int64_t& out) {
  if (unit == TimeUnit::nanosecond) return !__builtin_mul_overflow(microseconds, std::int64_t{1000}, &out);
  const std::int64_t size = unit == TimeUnit::second ? 1'000'000 : unit == TimeUnit::millisecond ? 1'000 : 1;
  out = microseconds / size;
  return microseconds % size == 0;
}

}  // namespace

RowValues::RowValues(const std::vector<DataType>& columns) : slots_(columns.size()), arrays_(columns.size()) {
  for (const DataType& column : columns) {
    DataType& type = types_.emplace_back(column.values.empty() ? column : column.values.front());
    type.name = column.name;
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Slot& slot = slots_[i];
    slot.buffers[0] = &slot.validity;
    slot.buffers[1] = slot.value;
    slot.buffers[3] = &slot.text_bytes;
    ArrowArray& array = arrays_[i];
    const Layout layout = types_[i].layout;
    array.length = 1;
    array.null_count = is_settable(layout) ? -1 : 1;
    array.n_buffers = is_text(layout) ? 4 : is_settable(layout) ? 2 : 0;
    array.buffers = slot.buffers;
    array.release = release;
    children_.push_back(&array);
  }
  ArrowArray root{};
  root.length = 1;
  root.n_buffers = 1;
  root.buffers = root_buffers_;
  root.n_children = static_cast<std::int64_t>(children_.size());
  root.children = children_.data();
  root.release = release;
  batch_ = std::make_shared<const Batch>(schema_of(types_), UniqueArray(&root));
}

template <class T>
bool RowValues::set(std::size_t column, T value) {
  Slot& slot = slots_[column];
  std::memcpy(slot.value, &value, sizeof value);
  slot.validity = 1;
  return true;
}

bool RowValues::set_boolean(std::size_t column, bool value) {
  return types_[column].layout == Layout::boolean && set(column, static_cast<std::uint8_t>(value ? 1 : 0));
}

bool RowValues::set_integer(std::size_t column, std::int64_t value) {
  switch (types_[column].layout) {
    case Layout::int8:
      return holds<std::int8_t>(value) && set(column, static_cast<std::int8_t>(value));
    case Layout::int16:
      return holds<std::int16_t>(value) && set(column, static_cast<std::int16_t>(value));
    case Layout::int32:
      return holds<std::int32_t>(value) && set(column, static_cast<std::int32_t>(value));
    case Layout::int64:
      return set(column, value);
    case Layout::uint8:
      return holds<std::uint8_t>(value) && set(column, static_cast<std::uint8_t>(value));
    case Layout::uint16:
      return holds<std::uint16_t>(value) && set(column, static_cast<std::uint16_t>(value));
    case Layout::uint32:
      return holds<std::uint32_t>(value) && set(column, static_cast<std::uint32_t>(value));
    case Layout::uint64:
      return value >= 0 && set(column, value);
    default:
      return false;
  }
}

bool RowValues::set_unsigned(std::size_t column, std::uint64_t value) {
  return types_[column].layout == Layout::uint64 && set(column, value);
}

bool RowValues::set_floating(std::size_t column, double value) {
  const Layout layout = types_[column].layout;
  if (layout == Layout::float32) return set(column, static_cast<float>(value));
  return layout == Layout::float64 && set(column, value);
}

bool RowValues::set_text(std::size_t column, std::string_view value) {
  if (!is_text(types_[column].layout)) return false;
  if (value.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return false;
  Slot& slot = slots_[column];
  const auto size = static_cast<std::int32_t>(value.size());
  std::memset(slot.value, 0, sizeof slot.value);
  std::memcpy(slot.value, &size, sizeof size);
  if (value.size() <= kInlineText) {
    if (!value.empty()) std::memcpy(slot.value + sizeof size, value.data(), value.size());
  } else {
    // The first bytes, then buffer 0 from its start.
    std::memcpy(slot.value + sizeof size, value.data(), 4);
    slot.buffers[2] = value.data();
    slot.text_bytes = size;
  }
  slot.validity = 1;
  return true;
}

bool RowValues::set_decimal(std::size_t column, Decimal128 value) {
  return types_[column].layout == Layout::decimal128 && set(column, value);
}

bool RowValues::set_date(std::size_t column, std::int64_t days) {
  const Layout layout = types_[column].layout;
  if (layout == Layout::date32)
    return holds<std::int32_t>(days) && set(column, static_cast<std::int32_t>(days));
  std::int64_t milliseconds = 0;
  constexpr std::int64_t kDayMilliseconds = 86'400'000;
  return layout == Layout::date64 && !__builtin_mul_overflow(days, kDayMilliseconds, &milliseconds) &&
         set(column, milliseconds);
}

bool RowValues::set_microseconds(std::size_t column, std::int64_t value) {
  const DataType& type = types_[column];
  std::int64_t units = 0;
  if (!to_unit(value, type.unit, units)) return false;
  switch (type.layout) {
    case Layout::time32:
      return holds<std::int32_t>(units) && set(column, static_cast<std::int32_t>(units));
    case Layout::time64:
    case Layout::timestamp:
    case Layout::duration:
      return set(column, units);
    default:
      return false;
  }
}

}  // namespace labfactory
