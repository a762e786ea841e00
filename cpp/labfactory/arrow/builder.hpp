// Arrays that go out: a tree of buffers, exported as often as asked, given back by the Arrow release
// callback. Owner: every node is shared; each exported struct holds its own node, so a child may outlive its
// parent. Buffers are pooled buffers, vectors, or parts of somebody else's memory held by its owner. Threads:
// immutable once made; release runs on any thread, without the GIL, also after everything else is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "labfactory/arrow/abi.hpp"
#include "labfactory/base/buffer_pool.hpp"

namespace labfactory {

// Bytes and who keeps them.
struct SharedBuffer {
  std::shared_ptr<const void> owner;
  const void* data = nullptr;

  SharedBuffer() = default;
  SharedBuffer(std::shared_ptr<const void> holder, const void* bytes)
      : owner(std::move(holder)), data(bytes) {}
  SharedBuffer(PooledBuffer buffer) {  // NOLINT(*-explicit-constructor): a buffer is a buffer
    auto held = std::make_shared<const PooledBuffer>(std::move(buffer));
    data = held->data();
    owner = std::move(held);
  }
  template <class T>
  SharedBuffer(std::vector<T> values) {  // NOLINT(*-explicit-constructor)
    auto held = std::make_shared<const std::vector<T>>(std::move(values));
    data = held->data();
    owner = std::move(held);
  }
};

struct ArrayData;
using ArrayPointer = std::shared_ptr<const ArrayData>;

struct Field {
  std::string name;
  ArrayPointer array;
  bool is_nullable = true;
};

// One array: format and buffers as the Arrow C data interface lists them. A validity buffer may be empty when
// null_count is 0.
struct ArrayData {
  std::string format;
  std::int64_t length = 0;
  std::int64_t null_count = 0;
  std::vector<SharedBuffer> buffers;
  std::vector<Field> children;
  ArrayPointer dictionary;
};

// Fill structs that the consumer owns from then on.
void export_array(const ArrayPointer& array, ArrowArray* out);
void export_schema(const ArrayData& array, ArrowSchema* out, std::string_view name = {});

// Validity, one bit a row, grown row by row; costs nothing until the first null.
class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(std::int64_t valid_rows) : length_(valid_rows) {}

  void append(bool is_valid) {
    if (!is_valid && bits_.empty()) begin();
    if (!bits_.empty()) {
      if ((length_ & 7) == 0 && length_ > 0) bits_.push_back(0);
      bits_.back() = static_cast<std::uint8_t>(bits_.back() | (is_valid ? 1 << (length_ & 7) : 0));
    }
    null_count_ += is_valid ? 0 : 1;
    ++length_;
  }
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] std::int64_t null_count() const { return null_count_; }
  // The bits, or nothing when no row is null; leaves the bitmap empty.
  [[nodiscard]] SharedBuffer take();

 private:
  void begin();

  std::vector<std::uint8_t> bits_;
  std::int64_t length_ = 0;
  std::int64_t null_count_ = 0;
};

// Arrays of fixed width; without a bitmap no row is null. A bitmap has as many rows as there are values.
[[nodiscard]] ArrayPointer make_array(std::vector<std::int8_t> values, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_array(std::vector<std::int32_t> values, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_array(std::vector<std::int64_t> values, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_array(std::vector<std::uint64_t> values, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_array(std::vector<float> values, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_array(std::vector<double> values, Bitmap validity = {});
// The same of values in a pooled buffer: std::int32_t, std::uint64_t or double.
template <class T>
[[nodiscard]] ArrayPointer make_array(PooledBuffer values, std::int64_t length, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_boolean_array(std::span<const std::uint8_t> values, Bitmap validity = {});

// utf8, from offsets (one more than rows) into bytes.
[[nodiscard]] ArrayPointer make_text_array(std::vector<std::int32_t> offsets, SharedBuffer bytes,
                                           Bitmap validity = {});
[[nodiscard]] ArrayPointer make_large_text_array(std::vector<std::int64_t> offsets, SharedBuffer bytes,
                                                 Bitmap validity = {});
// utf8, copied; null where there is no value. std::length_error above 2 GiB.
[[nodiscard]] ArrayPointer make_text_array(std::span<const std::optional<std::string_view>> texts);

// dictionary<int8 or int32, utf8>.
[[nodiscard]] ArrayPointer make_dictionary_array(std::vector<std::int8_t> indices,
                                                 std::span<const std::string> entries, Bitmap validity = {});
[[nodiscard]] ArrayPointer make_dictionary_array(std::vector<std::int32_t> indices,
                                                 std::span<const std::string> entries, Bitmap validity = {});

// A struct of fields of equal length; a record batch when no row is null.
[[nodiscard]] ArrayPointer make_struct_array(std::int64_t length, std::vector<Field> fields,
                                             Bitmap validity = {});

}  // namespace labfactory
