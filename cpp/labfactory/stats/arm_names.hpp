// The arms of an experiment by name, and the arm of each row of a variant column.
// Owner: copies of the names.
// Threads: immutable; any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"

namespace labfactory {

class ArmNames {
 public:
  static constexpr std::int32_t kNone = -1;  // the row's variant is null

  explicit ArmNames(std::vector<std::string> names);

  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(names_.size()); }

  // The arm of each row of a text column, kNone where it is null. Error "unknown_variant" at the first other
  // name, with its row counted from `first_row`.
  void encode(const Column& variant, std::int64_t first_row, std::span<std::int32_t> arms, int threads) const;

 private:
  static constexpr std::int32_t kUnknown = -2;

  [[nodiscard]] std::int32_t find(std::string_view name) const;
  void encode_rows(const Column& variant, std::int64_t first, std::span<std::int32_t> arms) const;
  [[noreturn]] void refuse(std::string_view name, std::int64_t row) const;

  std::vector<std::string> names_;
};

}  // namespace labfactory
