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

// All lists of one level together; longer ones are left to arrays.
constexpr std::int64_t kMostItems = 256;

bool is_scalar(Layout layout) {
  return layout == Layout::boolean || is_integer(layout) || is_floating(layout) || is_text(layout) ||
         layout == Layout::decimal128 || (layout >= Layout::date32 && layout <= Layout::duration);
}

// An array of the type in which values of these places lie.
ArrayPointer example_of(RowPlaces& places) {
  const DataType& type = places.type();
  ArrayData array;
  array.format = !places.is_settable()               ? "n"
                 : is_text(type.layout)              ? "vu"
                 : type.layout == Layout::large_list ? "+l"
                                                     : type.format;
  for (std::size_t i = 0; i < places.field_count(); ++i) {
    RowPlaces& child = places.field(i);
    array.children.push_back({child.type().name, example_of(child)});
  }
  return std::make_shared<const ArrayData>(std::move(array));
}

// A dictionary counts as its values.
DataType record_of(const std::vector<DataType>& columns) {
  DataType root;
  root.layout = Layout::structure;
  root.format = "+s";
  for (const DataType& column : columns) {
    DataType& values = root.children.emplace_back(column.values.empty() ? column : column.values.front());
    values.name = column.name;
  }
  return root;
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

RowPlaces::RowPlaces(const DataType& type, std::int64_t capacity) : type_(type), capacity_(capacity) {
  const auto places = static_cast<std::size_t>(capacity);
  validity_.resize(places / 8 + 1);
  buffers_ = {validity_.data()};
  if (!is_settable()) return;
  // Sixteen bytes hold any value, and what is read of it at once.
  values_.resize(16 * (places + 1));
  if (type_.layout != Layout::structure) buffers_.push_back(values_.data());
  if (is_text(type_.layout)) {
    buffers_.resize(2 + places);
    sizes_.resize(places);
    buffers_.push_back(sizes_.data());
  }
  const bool is_list = type_.layout == Layout::list || type_.layout == Layout::large_list;
  // What the buffers point to stays where it is.
  children_.reserve(type_.children.size());
  for (const DataType& child : type_.children) children_.emplace_back(child, is_list ? kMostItems : capacity);
}

bool RowPlaces::is_settable() const {
  return is_scalar(type_.layout) || type_.layout == Layout::structure || type_.layout == Layout::list ||
         type_.layout == Layout::large_list;
}

void RowPlaces::fill(ArrowArray& array, std::int64_t length) {
  array = {};
  array.length = length;
  array.null_count = is_settable() ? -1 : length;
  array.n_buffers = is_settable() ? static_cast<std::int64_t>(buffers_.size()) : 0;
  array.buffers = buffers_.data();
  array.release = release;
  arrays_.resize(children_.size());
  const bool is_list = type_.layout != Layout::structure;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    children_[i].fill(arrays_[i], is_list ? children_[i].capacity_ : length);
    pointers_.push_back(&arrays_[i]);
  }
  array.n_children = static_cast<std::int64_t>(children_.size());
  array.children = pointers_.data();
}

void RowPlaces::begin() {
  used_ = 0;
  for (RowPlaces& child : children_) child.begin();
}

void RowPlaces::set_valid(std::int64_t at, bool is_valid) {
  std::uint8_t& byte = validity_[static_cast<std::size_t>(at >> 3)];
  const auto bit = static_cast<std::uint8_t>(1 << (at & 7));
  byte = static_cast<std::uint8_t>(is_valid ? byte | bit : byte & ~bit);
}

template <class T>
bool RowPlaces::set(std::int64_t at, T value) {
  std::memcpy(values_.data() + static_cast<std::size_t>(at) * sizeof value, &value, sizeof value);
  set_valid(at, true);
  return true;
}

void RowPlaces::set_null(std::int64_t at) {
  set_valid(at, false);
  std::int64_t first = 0;
  if (type_.layout == Layout::structure) {
    for (RowPlaces& child : children_) child.set_null(at);
  } else if (!children_.empty() && set_list(at, 0, first)) {
    set_valid(at, false);
  }
}

bool RowPlaces::set_list(std::int64_t at, std::int64_t count, std::int64_t& first) {
  if (children_.empty() || type_.layout == Layout::structure || count > kMostItems - used_) return false;
  first = used_;
  used_ += count;
  const std::int32_t offsets[2] = {static_cast<std::int32_t>(first), static_cast<std::int32_t>(used_)};
  std::memcpy(values_.data() + at * static_cast<std::int64_t>(sizeof offsets[0]), offsets, sizeof offsets);
  set_valid(at, true);
  return true;
}

bool RowPlaces::set_boolean(std::int64_t at, bool value) {
  if (type_.layout != Layout::boolean) return false;
  char& byte = values_[static_cast<std::size_t>(at >> 3)];
  const int bit = 1 << (at & 7);
  byte = static_cast<char>(value ? byte | bit : byte & ~bit);
  set_valid(at, true);
  return true;
}

bool RowPlaces::set_integer(std::int64_t at, std::int64_t value) {
  switch (type_.layout) {
    case Layout::int8:
      return holds<std::int8_t>(value) && set(at, static_cast<std::int8_t>(value));
    case Layout::int16:
      return holds<std::int16_t>(value) && set(at, static_cast<std::int16_t>(value));
    case Layout::int32:
      return holds<std::int32_t>(value) && set(at, static_cast<std::int32_t>(value));
    case Layout::int64:
      return set(at, value);
    case Layout::uint8:
      return holds<std::uint8_t>(value) && set(at, static_cast<std::uint8_t>(value));
    case Layout::uint16:
      return holds<std::uint16_t>(value) && set(at, static_cast<std::uint16_t>(value));
    case Layout::uint32:
      return holds<std::uint32_t>(value) && set(at, static_cast<std::uint32_t>(value));
    case Layout::uint64:
      return value >= 0 && set(at, value);
    default:
      return false;
  }
}

bool RowPlaces::set_unsigned(std::int64_t at, std::uint64_t value) {
  return type_.layout == Layout::uint64 && set(at, value);
}

bool RowPlaces::set_floating(std::int64_t at, double value) {
  const Layout layout = type_.layout;
  if (layout == Layout::float32) return set(at, static_cast<float>(value));
  return layout == Layout::float64 && set(at, value);
}

bool RowPlaces::set_text(std::int64_t at, std::string_view value) {
  if (!is_text(type_.layout)) return false;
  if (value.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return false;
  char view[16] = {};
  const auto size = static_cast<std::int32_t>(value.size());
  std::memcpy(view, &size, sizeof size);
  if (value.size() <= kInlineText) {
    if (!value.empty()) std::memcpy(view + sizeof size, value.data(), value.size());
  } else {
    // The first bytes, then the number of the buffer, which holds nothing else.
    const auto number = static_cast<std::int32_t>(at);
    std::memcpy(view + sizeof size, value.data(), 4);
    std::memcpy(view + 8, &number, sizeof number);
    buffers_[static_cast<std::size_t>(2 + at)] = value.data();
    sizes_[static_cast<std::size_t>(at)] = size;
  }
  std::memcpy(values_.data() + 16 * at, view, sizeof view);
  set_valid(at, true);
  return true;
}

bool RowPlaces::set_decimal(std::int64_t at, Decimal128 value) {
  return type_.layout == Layout::decimal128 && set(at, value);
}

bool RowPlaces::set_date(std::int64_t at, std::int64_t days) {
  const Layout layout = type_.layout;
  if (layout == Layout::date32) return holds<std::int32_t>(days) && set(at, static_cast<std::int32_t>(days));
  std::int64_t milliseconds = 0;
  constexpr std::int64_t kDayMilliseconds = 86'400'000;
  return layout == Layout::date64 && !__builtin_mul_overflow(days, kDayMilliseconds, &milliseconds) &&
         set(at, milliseconds);
}

bool RowPlaces::set_microseconds(std::int64_t at, std::int64_t value) {
  std::int64_t units = 0;
  if (!to_unit(value, type_.unit, units)) return false;
  switch (type_.layout) {
    case Layout::time32:
      return holds<std::int32_t>(units) && set(at, static_cast<std::int32_t>(units));
    case Layout::time64:
    case Layout::timestamp:
    case Layout::duration:
      return set(at, units);
    default:
      return false;
  }
}

RowValues::RowValues(const std::vector<DataType>& columns) : root_(record_of(columns), 1) {
  ArrowSchema schema;
  export_schema(*example_of(root_), &schema);
  ArrowArray array;
  root_.fill(array, 1);
  root_.set_record(0);
  batch_ = std::make_shared<const Batch>(UniqueSchema(&schema), UniqueArray(&array));
}

}  // namespace labfactory
