// A column of an imported batch, read in place.
// Owner: the Batch holds the producer's array; columns, and every text they give out, borrow from it.
// Threads: immutable after import; any number of readers. The producer's release runs on the last holder's
// thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/abi.hpp"
#include "labfactory/arrow/schema.hpp"

namespace labfactory {

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;  // one past the end

  [[nodiscard]] std::int64_t size() const { return last - first; }
};

// Two's complement, value = high * 2^64 + low, scaled by the type's 10^-scale.
struct Decimal128 {
  std::uint64_t low = 0;
  std::int64_t high = 0;
};

// Rows are counted from 0 in the column's own slice; offsets of the array and of its parents are inside. A
// child of a struct has the struct's rows, whose nulls it does not repeat; the child of a list has all items,
// and list_range() says which belong to a row. Values of null rows are unspecified: ask is_valid() first.
class Column {
 public:
  // Borrows `length` values of `array` from `start` on (in the array's own count, before its offset); checks
  // structure.
  Column(const DataType& type, const ArrowArray& array, std::int64_t start, std::int64_t length);

  [[nodiscard]] const DataType& type() const { return *type_; }
  [[nodiscard]] Layout layout() const { return layout_; }
  // The layout of what text(), integer() … return: through the dictionary, if there is one.
  [[nodiscard]] Layout value_layout() const { return type_->value_layout(); }
  [[nodiscard]] std::int64_t length() const { return length_; }
  // False promises that is_valid() holds for every row.
  [[nodiscard]] bool has_nulls() const { return nulls_ != Nulls::none; }

  [[nodiscard]] bool is_valid(std::int64_t i) const {
    switch (nulls_) {
      case Nulls::none:
        return true;
      case Nulls::bitmap:
        return bit(validity_, base_ + i);
      case Nulls::entries:
        return (validity_ == nullptr || bit(validity_, base_ + i)) && dictionary_->is_valid(entry(i));
      case Nulls::all:
        return false;
    }
    return false;
  }

  // UTF-8 or binary of every kind; not checked for being UTF-8.
  [[nodiscard]] std::string_view text(std::int64_t i) const {
    switch (layout_) {
      case Layout::utf8:
      case Layout::binary: {
        const auto first = load<std::int32_t>(offsets_, i);
        return {values_ + first, static_cast<std::size_t>(load<std::int32_t>(offsets_, i + 1) - first)};
      }
      case Layout::utf8_view:
      case Layout::binary_view:
        return view(i);
      case Layout::large_utf8:
      case Layout::large_binary: {
        const auto first = load<std::int64_t>(offsets_, i);
        return {values_ + first, static_cast<std::size_t>(load<std::int64_t>(offsets_, i + 1) - first)};
      }
      case Layout::fixed_binary:
        return {values_ + i * width_, static_cast<std::size_t>(width_)};
      case Layout::dictionary:
        return dictionary_->text(entry(i));
      default:
        return {};
    }
  }

  // Integers; booleans as 0 and 1; dates, times, timestamps and durations as stored, in the type's unit. A
  // uint64 above the signed maximum comes out negative: see exceeds_int64().
  [[nodiscard]] std::int64_t integer(std::int64_t i) const {
    if (layout_ == Layout::dictionary) return dictionary_->integer(entry(i));
    if (layout_ == Layout::boolean) return boolean(i) ? 1 : 0;
    return load_integer(i);
  }

  [[nodiscard]] bool exceeds_int64(std::int64_t i) const {
    return value_layout() == Layout::uint64 && integer(i) < 0;
  }

  // float32 widened, float64 as stored.
  [[nodiscard]] double floating(std::int64_t i) const {
    switch (layout_) {
      case Layout::float64:
        return load<double>(values_, i);
      case Layout::float32:
        return static_cast<double>(load<float>(values_, i));
      case Layout::dictionary:
        return dictionary_->floating(entry(i));
      default:
        return 0.0;
    }
  }

  [[nodiscard]] bool boolean(std::int64_t i) const {
    if (layout_ == Layout::dictionary) return dictionary_->boolean(entry(i));
    return bit(reinterpret_cast<const std::uint8_t*>(values_), base_ + i);
  }

  [[nodiscard]] Decimal128 decimal(std::int64_t i) const {
    Decimal128 value;
    std::memcpy(&value, decimal_bytes(i), sizeof value);
    return value;
  }
  // Where its 16 bytes lie.
  [[nodiscard]] const char* decimal_bytes(std::int64_t i) const {
    if (layout_ == Layout::dictionary) return dictionary_->decimal_bytes(entry(i));
    return values_ + i * static_cast<std::int64_t>(sizeof(Decimal128));
  }

  // The rows of child(0) that are the items of row i, of a list of any kind or of a map.
  [[nodiscard]] Range list_range(std::int64_t i) const {
    switch (layout_) {
      case Layout::list:
      case Layout::map:
        return {load<std::int32_t>(offsets_, i), load<std::int32_t>(offsets_, i + 1)};
      case Layout::large_list:
        return {load<std::int64_t>(offsets_, i), load<std::int64_t>(offsets_, i + 1)};
      case Layout::fixed_list:
        return {(base_ + i) * width_, (base_ + i + 1) * width_};
      default:
        return {};
    }
  }

  // The index into dictionary() of row i; 0 <= entry < dictionary().length() for rows whose index is not
  // null.
  [[nodiscard]] std::int64_t entry(std::int64_t i) const { return load_integer(i); }
  [[nodiscard]] const Column& dictionary() const { return *dictionary_; }

  // For kernels: the value of row 0 of an array of fixed width, the others behind it; null for booleans and
  // others.
  [[nodiscard]] const char* values() const { return layout_ == Layout::boolean ? nullptr : values_; }
  // The bits of a boolean array, of which row 0 has bit first_bit(); null for others.
  [[nodiscard]] const std::uint8_t* value_bits() const {
    return layout_ == Layout::boolean ? reinterpret_cast<const std::uint8_t*>(values_) : nullptr;
  }
  // The bits of the rows that are not null, from first_bit() on too; null where none or all of the rows are.
  [[nodiscard]] const std::uint8_t* validity_bits() const { return validity_; }
  [[nodiscard]] std::int64_t first_bit() const { return base_; }
  // The offset of row 0 of utf8, binary and lists, the next ones behind it; null for others.
  [[nodiscard]] const char* offsets() const { return offsets_; }
  // The buffers that views point into; null for others.
  [[nodiscard]] const void* const* variadic() const { return variadic_; }
  // How many bytes each of them has; null for others, and where there are none.
  [[nodiscard]] const std::int64_t* variadic_bytes() const {
    return variadic_count_ > 0 ? static_cast<const std::int64_t*>(variadic_[variadic_count_]) : nullptr;
  }

  // A child by position; Error(source, "arrow_format") when its format cannot be read.
  [[nodiscard]] const Column& child(std::size_t index) const { return children_.at(index).readable(); }
  // A field of a struct by name; null when there is none, an error when its format cannot be read.
  [[nodiscard]] const Column* field(std::string_view name) const;
  [[nodiscard]] std::size_t child_count() const { return children_.size(); }
  // All of them, those too whose format cannot be read.
  [[nodiscard]] const std::vector<Column>& children() const { return children_; }

  // Reads the offsets, indices and views of these rows, here and below: Error(source, "arrow_malformed") when
  // they leave their buffers. The Batch does it once.
  void check_values(std::int64_t first, std::int64_t count) const;

  // Itself; Error(source, "arrow_format") when this format cannot be read.
  [[nodiscard]] const Column& readable() const {
    if (layout_ == Layout::unsupported || value_layout() == Layout::unsupported) refuse();
    return *this;
  }

 private:
  enum class Nulls : std::uint8_t { none, bitmap, entries, all };

  template <class T>
  static T load(const char* at, std::int64_t i) {
    T value;
    std::memcpy(&value, at + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    return value;
  }

  static bool bit(const std::uint8_t* bits, std::int64_t i) { return ((bits[i >> 3] >> (i & 7)) & 1) != 0; }

  // Switches on the width stored for integers, of an index too: one predictable jump per row.
  [[nodiscard]] std::int64_t load_integer(std::int64_t i) const {
    switch (integer_) {
      case Layout::int64:
        return load<std::int64_t>(values_, i);
      case Layout::int32:
        return load<std::int32_t>(values_, i);
      case Layout::uint32:
        return load<std::uint32_t>(values_, i);
      case Layout::int8:
        return load<std::int8_t>(values_, i);
      case Layout::uint8:
        return load<std::uint8_t>(values_, i);
      case Layout::int16:
        return load<std::int16_t>(values_, i);
      case Layout::uint16:
        return load<std::uint16_t>(values_, i);
      default:
        return 0;
    }
  }

  [[nodiscard]] std::string_view view(std::int64_t i) const {
    const char* const at = values_ + i * 16;
    const auto size = static_cast<std::size_t>(load<std::int32_t>(at, 0));
    // Up to 12 bytes lie in the view itself.
    if (size <= 12) return {at + 4, size};
    return {static_cast<const char*>(variadic_[load<std::int32_t>(at, 2)]) + load<std::int32_t>(at, 3), size};
  }

  void bind_buffers(const ArrowArray& array);
  void bind_variadic() const;
  void bind_children(const ArrowArray& array);
  void bind_nulls(const ArrowArray& array);
  void check_fields(std::int64_t first, std::int64_t count) const;
  void check_entries(std::int64_t first, std::int64_t count) const;
  void check_dictionary(std::int64_t first, std::int64_t count) const;
  void check_views(std::int64_t first, std::int64_t count) const;
  [[noreturn]] void refuse() const;
  [[noreturn]] void malformed(const std::string& found) const;

  const DataType* type_;
  Layout layout_;
  Layout integer_ = Layout::unsupported;  // how load_integer() reads
  Nulls nulls_ = Nulls::none;
  std::int32_t width_ = 0;
  std::int64_t base_ = 0;  // of row 0 in bitmaps; the other pointers are already moved there
  std::int64_t length_ = 0;
  const std::uint8_t* validity_ = nullptr;
  const char* values_ = nullptr;
  const char* offsets_ = nullptr;
  const void* const* variadic_ = nullptr;
  std::int64_t variadic_count_ = 0;
  std::vector<Column> children_;
  std::unique_ptr<Column> dictionary_;
};

}  // namespace labfactory
