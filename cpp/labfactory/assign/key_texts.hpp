// The text by which a customer's key is known, row by row: what every bucketing hashes.
// Owner: borrows the column; texts lie in it, or in the caller's digits until the next call.
// Threads: any number of readers, each with digits of its own.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "labfactory/arrow/column.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

class KeyTexts {
 public:
  using Digits = std::array<char, kIntegerBound>;

  // Keys are integers, text or bytes of any layout, plain or in a dictionary; Error(source, "key_type") for
  // others.
  explicit KeyTexts(const Column& keys);

  [[nodiscard]] std::int64_t length() const { return keys_->length(); }
  // False promises that is_valid() holds for every row.
  [[nodiscard]] bool has_nulls() const { return keys_->has_nulls(); }
  [[nodiscard]] bool is_valid(std::int64_t i) const { return keys_->is_valid(i); }

  // Of a row that is not null.
  [[nodiscard]] std::string_view text(std::int64_t i, Digits& digits) const {
    if (is_text_) return keys_->text(i);
    const std::int64_t value = keys_->integer(i);
    const char* const end = is_unsigned_ ? write_unsigned(digits.data(), static_cast<std::uint64_t>(value))
                                         : write_integer(digits.data(), value);
    return {digits.data(), static_cast<std::size_t>(end - digits.data())};
  }

  // What JavaScript takes for no key: empty text, and the number 0.
  [[nodiscard]] bool is_falsy(std::int64_t i) const {
    return is_text_ ? keys_->text(i).empty() : keys_->integer(i) == 0;
  }

 private:
  const Column* keys_;
  bool is_text_;
  bool is_unsigned_;
};

}  // namespace labfactory
