// Python's operators over dates, times and timedeltas.
// Owner: results are plain values. Threads: one scope belongs to one thread.
#pragma once

#include <compare>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

[[nodiscard]] inline bool is_temporal(const Value& value) {
  return value.kind >= Kind::date && value.kind <= Kind::duration;
}

// Each wants a temporal value on one side at least; type_error for operands that do not go together.
// OverflowError (float_overflow) for dates outside the years 1 to 9999, int_overflow for timedeltas past 64
// bits of microseconds.
[[nodiscard]] Outcome add_temporal(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome subtract_temporal(const Scope& scope, const Value& left, const Value& right,
                                        Value& out);
[[nodiscard]] Outcome multiply_temporal(const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome divide_temporal(const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome floor_divide_temporal(const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome modulo_temporal(const Value& left, const Value& right, Value& out);

// Two of a kind, in time. A naive and an aware one do not compare, nor do a date and a timestamp.
[[nodiscard]] Outcome order_temporal(const Value& left, const Value& right, std::strong_ordering& out);
[[nodiscard]] bool equal_temporal(const Scope& scope, const Value& left, const Value& right);

// An attribute that is a number, as year or days; false for any other name.
[[nodiscard]] bool temporal_part(const Value& value, std::string_view name, std::int64_t& out);

// str(value): text in the arena.
[[nodiscard]] Outcome temporal_text(const Scope& scope, const Value& value, std::string_view& out);

}  // namespace labfactory
