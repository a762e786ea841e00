// A batch of one row whose values are set in place, again and again: single values become no arrays.
// Owner: the memory of all values but long texts, which are borrowed until the row is set anew.
// Threads: one at a time; the batch lives no longer than this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/arrow/schema.hpp"

namespace labfactory {

// The values of a column, of a field, or of the items of a list, by their place in it. Each setter sets one;
// false, and nothing is set, where the type cannot hold it as it is.
class RowPlaces {
 public:
  RowPlaces(const DataType& type, std::int64_t capacity);
  RowPlaces(const RowPlaces&) = delete;
  RowPlaces& operator=(const RowPlaces&) = delete;
  RowPlaces(RowPlaces&&) = default;
  RowPlaces& operator=(RowPlaces&&) = default;
  ~RowPlaces() = default;

  // What cannot be set (maps, bytes, dictionaries within) can only be null, and lies as Arrow's null type.
  [[nodiscard]] const DataType& type() const { return type_; }
  [[nodiscard]] bool is_settable() const;

  void set_null(std::int64_t at);
  [[nodiscard]] bool set_boolean(std::int64_t at, bool value);
  [[nodiscard]] bool set_integer(std::int64_t at, std::int64_t value);
  // An integer above the signed maximum.
  [[nodiscard]] bool set_unsigned(std::int64_t at, std::uint64_t value);
  [[nodiscard]] bool set_floating(std::int64_t at, double value);
  [[nodiscard]] bool set_text(std::int64_t at, std::string_view value);
  // Scaled as the type says.
  [[nodiscard]] bool set_decimal(std::int64_t at, Decimal128 value);
  // Days since 1970-01-01.
  [[nodiscard]] bool set_date(std::int64_t at, std::int64_t days);
  // A timestamp, a time of day or a duration.
  [[nodiscard]] bool set_microseconds(std::int64_t at, std::int64_t value);

  // A struct, whose fields are set beside it.
  void set_record(std::int64_t at) { set_valid(at, true); }
  [[nodiscard]] std::size_t field_count() const { return children_.size(); }
  [[nodiscard]] RowPlaces& field(std::size_t index) { return children_[index]; }

  // A list of so many items, which are set from `first` on; lists are set in the order of their places.
  [[nodiscard]] bool set_list(std::int64_t at, std::int64_t count, std::int64_t& first);
  [[nodiscard]] RowPlaces& items() { return children_.front(); }

  // Forgets the items of lists, before the next row.
  void begin();

 private:
  friend class RowValues;

  template <class T>
  bool set(std::int64_t at, T value);
  void set_valid(std::int64_t at, bool is_valid);
  // The array over this memory, which must not move any more.
  void fill(ArrowArray& array, std::int64_t length);

  DataType type_;
  std::int64_t capacity_;
  std::int64_t used_ = 0;  // of the items of a list
  std::vector<std::uint8_t> validity_;
  std::vector<char> values_;  // or offsets
  // Validity and values; of text then what each long one points to, and their sizes.
  std::vector<const void*> buffers_;
  std::vector<std::int64_t> sizes_;
  std::vector<RowPlaces> children_;
  std::vector<ArrowArray> arrays_;  // of the children
  std::vector<ArrowArray*> pointers_;
};

class RowValues {
 public:
  // A dictionary counts as its values.
  explicit RowValues(const std::vector<DataType>& columns);
  RowValues(const RowValues&) = delete;
  RowValues& operator=(const RowValues&) = delete;

  [[nodiscard]] const std::shared_ptr<const Batch>& batch() const { return batch_; }
  [[nodiscard]] std::size_t size() const { return root_.field_count(); }
  // A column; its one value has place 0.
  [[nodiscard]] RowPlaces& column(std::size_t index) { return root_.field(index); }
  // Before a row is set.
  void begin() { root_.begin(); }

 private:
  RowPlaces root_;
  std::shared_ptr<const Batch> batch_;
};

}  // namespace labfactory
