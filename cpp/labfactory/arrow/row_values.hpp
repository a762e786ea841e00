// A batch of one row whose values are set in place, again and again: single values become no arrays.
// Owner: the memory of all values but long texts, which are borrowed until the row is set anew.
// Threads: one at a time; the batch lives no longer than this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/arrow/schema.hpp"

namespace labfactory {

class RowValues {
 public:
  // Columns of these types and names; a dictionary counts as its values. What nests or holds bytes can only
  // be null, and lies as Arrow's null type.
  explicit RowValues(const std::vector<DataType>& columns);
  RowValues(const RowValues&) = delete;
  RowValues& operator=(const RowValues&) = delete;

  [[nodiscard]] const std::shared_ptr<const Batch>& batch() const { return batch_; }
  [[nodiscard]] std::size_t size() const { return types_.size(); }
  // Of the values: never a dictionary.
  [[nodiscard]] const DataType& type(std::size_t column) const { return types_[column]; }

  // Each sets one value; false, and nothing is set, where the column cannot hold it as it is.
  void set_null(std::size_t column) { slots_[column].validity = 0; }
  [[nodiscard]] bool set_boolean(std::size_t column, bool value);
  [[nodiscard]] bool set_integer(std::size_t column, std::int64_t value);
  // An integer above the signed maximum.
  [[nodiscard]] bool set_unsigned(std::size_t column, std::uint64_t value);
  [[nodiscard]] bool set_floating(std::size_t column, double value);
  [[nodiscard]] bool set_text(std::size_t column, std::string_view value);
  // Scaled as the type says.
  [[nodiscard]] bool set_decimal(std::size_t column, Decimal128 value);
  // Days since 1970-01-01.
  [[nodiscard]] bool set_date(std::size_t column, std::int64_t days);
  // A timestamp, a time of day or a duration.
  [[nodiscard]] bool set_microseconds(std::size_t column, std::int64_t value);

 private:
  struct Slot {
    alignas(16) char value[16] = {};
    const void* buffers[4] = {};  // validity, values; of text what a long one points to, and sizes
    std::int64_t text_bytes = 0;
    std::uint8_t validity = 0;
  };

  template <class T>
  bool set(std::size_t column, T value);

  std::vector<DataType> types_;
  std::vector<Slot> slots_;
  std::vector<ArrowArray> arrays_;
  std::vector<ArrowArray*> children_;
  const void* root_buffers_[1] = {nullptr};
  std::shared_ptr<const Batch> batch_;
};

}  // namespace labfactory
