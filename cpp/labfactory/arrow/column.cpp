#include "labfactory/arrow/column.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "labfactory/base/error.hpp"

namespace labfactory {

namespace {

// Offsets of an array without values may be a null pointer: these stand in for them.
constexpr std::int64_t kNoOffsets[2] = {0, 0};

// Bytes of one value; 0 for layouts whose values have no fixed width.
std::int64_t byte_width(const DataType& type, Layout layout) {
  switch (layout) {
    case Layout::int8:
    case Layout::uint8:
      return 1;
    case Layout::int16:
    case Layout::uint16:
      return 2;
    case Layout::int32:
    case Layout::uint32:
    case Layout::float32:
    case Layout::date32:
    case Layout::time32:
      return 4;
    case Layout::int64:
    case Layout::uint64:
    case Layout::float64:
    case Layout::date64:
    case Layout::time64:
    case Layout::timestamp:
    case Layout::duration:
      return 8;
    case Layout::decimal128:
    case Layout::utf8_view:
    case Layout::binary_view:
      return 16;
    case Layout::fixed_binary:
      return type.width;
    default:
      return 0;
  }
}

// The layout by which load_integer() reads values of `layout`.
Layout integer_layout(Layout layout) {
  switch (layout) {
    case Layout::date32:
    case Layout::time32:
      return Layout::int32;
    case Layout::uint64:
    case Layout::date64:
    case Layout::time64:
    case Layout::timestamp:
    case Layout::duration:
      return Layout::int64;
    default:
      return is_integer(layout) ? layout : Layout::unsupported;
  }
}

// Buffers that the specification asks for; of a view the fewest.
std::int64_t buffer_count(Layout layout) {
  switch (layout) {
    case Layout::null:
      return 0;
    case Layout::structure:
    case Layout::fixed_list:
      return 1;
    case Layout::utf8:
    case Layout::large_utf8:
    case Layout::binary:
    case Layout::large_binary:
    case Layout::utf8_view:
    case Layout::binary_view:
      return 3;
    default:
      return 2;
  }
}

bool is_view(Layout layout) {
  return layout == Layout::utf8_view || layout == Layout::binary_view;
}

// The width of one offset, or 0 for layouts without offsets.
std::int64_t offset_width(Layout layout) {
  switch (layout) {
    case Layout::utf8:
    case Layout::binary:
    case Layout::list:
    case Layout::map:
      return 4;
    case Layout::large_utf8:
    case Layout::large_binary:
    case Layout::large_list:
      return 8;
    default:
      return 0;
  }
}

template <class T>
T load_at(const char* values, std::int64_t i) {
  T value;
  std::memcpy(&value, values + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <class T>
bool never_fall(const char* offsets, std::int64_t count) {
  // Of two that are not negative the sign of the difference tells, which four lanes have at once.
  using Bits = std::make_unsigned_t<T>;
  Bits signs = load_at<Bits>(offsets, count);
  for (std::int64_t i = 0; i < count; ++i) {
    const Bits here = load_at<Bits>(offsets, i);
    signs |= here | (load_at<Bits>(offsets, i + 1) - here);
  }
  if (static_cast<T>(signs) >= 0) return true;
  for (std::int64_t i = 0; i < count; ++i) {
    if (load_at<T>(offsets, i + 1) < load_at<T>(offsets, i)) return false;
  }
  return true;
}

// As unsigned, so that a negative index counts as too large.
template <class T>
std::uint64_t largest(const char* indices, std::int64_t count) {
  T most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    most = std::max(most, load_at<T>(indices, i));
  }
  return most;
}

// One view of a text.
struct View {
  std::uint32_t size;
  std::uint32_t prefix;
  std::uint32_t buffer;
  std::uint32_t offset;
};

constexpr std::uint32_t kMostInlined = 12;

// Whether what lies behind the view is all there; negative numbers count as too large.
bool is_inside(const View& view, const std::int64_t* sizes, std::uint32_t buffers) {
  if (view.size <= kMostInlined) return true;
  constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
  return view.size <= kMost && view.offset <= kMost && view.buffer < buffers &&
         std::int64_t{view.offset} + view.size <= sizes[view.buffer];
}

// Whether each of them holds its text itself.
bool are_inlined(const char* views, std::int64_t count) {
  std::uint32_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) most = std::max(most, load_at<View>(views, i).size);
  return most <= kMostInlined;
}

}  // namespace

Column::Column(const DataType& type, const ArrowArray& array, std::int64_t start, std::int64_t length)
    : type_(&type), layout_(type.layout), width_(type.width), length_(length) {
  if (array.release == nullptr) malformed("the array was released before");
  if (array.length < 0 || array.offset < 0 ||
      array.offset > std::numeric_limits<std::int64_t>::max() - array.length)
    malformed("length " + std::to_string(array.length) + ", offset " + std::to_string(array.offset));
  if (start < 0 || length < 0 || start > array.length - length)
    malformed("expected at least " + std::to_string(start + length) + " values, found " +
              std::to_string(array.length));
  base_ = array.offset + start;
  if (layout_ == Layout::unsupported) return;
  bind_nulls(array);
  bind_buffers(array);
  bind_children(array);
}

void Column::bind_nulls(const ArrowArray& array) {
  const std::int64_t expected = buffer_count(layout_);
  if (array.n_buffers < expected || (array.n_buffers > 0 && array.buffers == nullptr))
    malformed("expected " + std::to_string(expected) + " buffers, found " + std::to_string(array.n_buffers));
  if (array.null_count < -1 || array.null_count > array.length)
    malformed("null count " + std::to_string(array.null_count) + " of " + std::to_string(array.length) +
              " values");
  if (layout_ == Layout::null) {
    nulls_ = Nulls::all;
    return;
  }
  if (array.null_count == 0) return;
  validity_ = static_cast<const std::uint8_t*>(array.buffers[0]);
  if (validity_ != nullptr) nulls_ = Nulls::bitmap;
  if (validity_ == nullptr && array.null_count > 0)
    malformed("expected a validity buffer for " + std::to_string(array.null_count) + " nulls, found none");
}

void Column::bind_buffers(const ArrowArray& array) {
  if (buffer_count(layout_) < 2) return;
  const char* const second = static_cast<const char*>(array.buffers[1]);
  if (const std::int64_t width = offset_width(layout_); width != 0) {
    if (second == nullptr && length_ > 0) malformed("expected offsets, found none");
    if (base_ + length_ >= std::numeric_limits<std::int64_t>::max() / width)
      malformed("length " + std::to_string(array.length) + ", offset " + std::to_string(array.offset));
    offsets_ = second == nullptr ? reinterpret_cast<const char*>(kNoOffsets) : second + base_ * width;
    if (is_list(layout_)) return;
    const Range bytes = width == 4
                            ? Range{load<std::int32_t>(offsets_, 0), load<std::int32_t>(offsets_, length_)}
                            : Range{load<std::int64_t>(offsets_, 0), load<std::int64_t>(offsets_, length_)};
    values_ = static_cast<const char*>(array.buffers[2]);
    if (bytes.first < 0 || bytes.size() < 0)
      malformed("offsets run from " + std::to_string(bytes.first) + " to " + std::to_string(bytes.last));
    if (values_ == nullptr && bytes.size() > 0) malformed("expected values, found none");
    // A null pointer must not move, even when every text is empty.
    if (values_ == nullptr) values_ = reinterpret_cast<const char*>(kNoOffsets);
    return;
  }
  const Layout stored = layout_ == Layout::dictionary ? type_->index : layout_;
  integer_ = integer_layout(stored);
  const std::int64_t width = byte_width(*type_, stored);
  if (second == nullptr && length_ > 0 && (width > 0 || layout_ == Layout::boolean))
    malformed("expected values, found none");
  if (width > 0 && base_ + length_ > std::numeric_limits<std::int64_t>::max() / width)
    malformed("length " + std::to_string(array.length) + ", offset " + std::to_string(array.offset));
  // Bits are counted from base_, whole values from the pointer.
  values_ = second == nullptr ? reinterpret_cast<const char*>(kNoOffsets) : second + base_ * width;
  if (is_view(layout_)) {
    variadic_ = array.buffers + 2;
    variadic_count_ = array.n_buffers - 3;
    bind_variadic();
  }
}

void Column::bind_variadic() const {
  if (variadic_count_ == 0) return;
  const std::int64_t* const sizes = variadic_bytes();
  if (sizes == nullptr) malformed("expected the sizes of the buffers of views, found none");
  for (std::int64_t i = 0; i < variadic_count_; ++i) {
    if (sizes[i] < 0) malformed("a buffer of " + std::to_string(sizes[i]) + " bytes");
    if (sizes[i] > 0 && variadic_[i] == nullptr)
      malformed("expected a buffer of " + std::to_string(sizes[i]) + " bytes, found none");
  }
}

void Column::bind_children(const ArrowArray& array) {
  if ((array.dictionary != nullptr) != (layout_ == Layout::dictionary))
    malformed(array.dictionary == nullptr ? "expected a dictionary, found none"
                                          : "found a dictionary, expected none");
  if (layout_ == Layout::dictionary) {
    dictionary_ = std::make_unique<Column>(type_->values[0], *array.dictionary, 0, array.dictionary->length);
    if (dictionary_->has_nulls()) nulls_ = Nulls::entries;
    return;
  }
  const auto expected = static_cast<std::int64_t>(type_->children.size());
  if (array.n_children != expected || (expected > 0 && array.children == nullptr))
    malformed("expected " + std::to_string(expected) + " children, found " +
              std::to_string(array.n_children));
  children_.reserve(type_->children.size());
  for (std::int64_t i = 0; i < expected; ++i) {
    const ArrowArray* const child = array.children[i];
    if (child == nullptr) malformed("expected a child, found null");
    const DataType& type = type_->children[static_cast<std::size_t>(i)];
    // A struct's offset applies to its children as well; a list's does not, its offsets count all items.
    if (layout_ == Layout::structure)
      children_.emplace_back(type, *child, base_, length_);
    else
      children_.emplace_back(type, *child, 0, child->length);
  }
  if (!is_list(layout_)) return;
  const std::int64_t items = children_[0].length();
  if (layout_ == Layout::fixed_list) {
    if (width_ > 0 && base_ + length_ > items / width_)
      malformed("expected " + std::to_string(width_) + " items a row, found " + std::to_string(items) +
                " for " + std::to_string(base_ + length_) + " rows");
    return;
  }
  const std::int64_t first = list_range(0).first;
  const std::int64_t last = length_ == 0 ? first : list_range(length_ - 1).last;
  if (first < 0 || last < first || last > items)
    malformed("offsets run from " + std::to_string(first) + " to " + std::to_string(last) + " over " +
              std::to_string(items) + " items");
}

void Column::check_values(std::int64_t first, std::int64_t count) const {
  if (count == 0 || layout_ == Layout::unsupported) return;
  if (const std::int64_t width = offset_width(layout_); width != 0) {
    const char* const at = offsets_ + first * width;
    if (!(width == 4 ? never_fall<std::int32_t>(at, count) : never_fall<std::int64_t>(at, count)))
      malformed("expected offsets that never fall");
  }
  if (is_list(layout_)) {
    const std::int64_t start = list_range(first).first;
    children_[0].check_values(start, list_range(first + count - 1).last - start);
  } else if (layout_ == Layout::structure) {
    check_fields(first, count);
  } else if (layout_ == Layout::dictionary) {
    check_entries(first, count);
    check_dictionary(first, count);
  } else if (is_view(layout_)) {
    check_views(first, count);
  }
}

void Column::check_views(std::int64_t first, std::int64_t count) const {
  if (are_inlined(values_ + first * static_cast<std::int64_t>(sizeof(View)), count)) return;
  const std::int64_t* const sizes = variadic_bytes();
  for (std::int64_t i = first; i < first + count; ++i) {
    const auto view = load_at<View>(values_, i);
    // Under a null any view may stand.
    if (is_inside(view, sizes, static_cast<std::uint32_t>(variadic_count_)) || !is_valid(i)) continue;
    malformed("a view of " + std::to_string(view.size) + " bytes at row " + std::to_string(i) +
              " that leaves its buffer");
  }
}

// All of it once, or the entries that the rows have where it is larger than they are many.
void Column::check_dictionary(std::int64_t first, std::int64_t count) const {
  if (dictionary_->length() <= count) {
    dictionary_->check_values(0, dictionary_->length());
    return;
  }
  for (std::int64_t i = first; i < first + count; ++i) {
    if (validity_ == nullptr || bit(validity_, base_ + i)) dictionary_->check_values(entry(i), 1);
  }
}

void Column::check_fields(std::int64_t first, std::int64_t count) const {
  if (!has_nulls()) {
    for (const Column& child : children_) child.check_values(first, count);
    return;
  }
  // Under a null struct a field may hold anything: Arrow's own builders leave an index into an empty
  // dictionary.
  const std::int64_t end = first + count;
  while (first < end) {
    while (first < end && !is_valid(first)) ++first;
    std::int64_t last = first;
    while (last < end && is_valid(last)) ++last;
    for (const Column& child : children_) child.check_values(first, last - first);
    first = last;
  }
}

void Column::check_entries(std::int64_t first, std::int64_t count) const {
  const std::int64_t width = byte_width(*type_, type_->index);
  const char* const at = values_ + first * width;
  const auto entries = static_cast<std::uint64_t>(dictionary_->length());
  const std::uint64_t most = width == 1   ? largest<std::uint8_t>(at, count)
                             : width == 2 ? largest<std::uint16_t>(at, count)
                             : width == 4 ? largest<std::uint32_t>(at, count)
                                          : largest<std::uint64_t>(at, count);
  if (most < entries) return;
  // Under a null any index may stand, so only now is it worth asking row by row.
  for (std::int64_t i = first; i < first + count; ++i) {
    if (validity_ != nullptr && !bit(validity_, base_ + i)) continue;
    if (static_cast<std::uint64_t>(entry(i)) >= entries)
      malformed("index " + std::to_string(entry(i)) + " at row " + std::to_string(i) +
                ", the dictionary has " + std::to_string(entries) + " entries");
  }
}

const Column* Column::field(std::string_view name) const {
  for (const Column& child : children_) {
    if (child.type().name == name) return &child.readable();
  }
  return nullptr;
}

void Column::refuse() const {
  throw Error(ErrorKind::source, "arrow_format",
              "column '" + type_->name + "' is " + type_name(*type_) + ", which is not read",
              "Cast it before, or leave the column out.");
}

void Column::malformed(const std::string& found) const {
  throw Error(ErrorKind::source, "arrow_malformed",
              "Arrow array of '" + type_->name + "' (" + type_name(*type_) + "): " + found);
}

}  // namespace labfactory
