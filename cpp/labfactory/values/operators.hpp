// Python's operators over values, as Jinja2's compiled templates use them: one scalar function each, for both
// machines. Owner: results borrow from their operands, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "labfactory/base/arena.hpp"
#include "labfactory/values/cells.hpp"
#include "labfactory/values/outcome.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory {

// What an undefined value does when it is printed, tested or looked into; Jinja2's classes of the same names.
enum class UndefinedMode : std::uint8_t { lenient, strict, chainable };

class Memo;

// What an operation needs beside its operands.
struct Scope {
  Arena& arena;
  const Cells& cells;
  UndefinedMode undefined = UndefinedMode::strict;
  std::size_t most_bytes = 0;  // no text or list may grow past this
  Memo* memo = nullptr;        // what functions gave; null where a plan calls none
};

// True when using an undefined value as text, length or truth is an error.
[[nodiscard]] inline bool raises(const Scope& scope, const Value& undefined) {
  return scope.undefined == UndefinedMode::strict && undefined.length == 0;
}
// True when looking into an undefined value gives it again.
[[nodiscard]] inline bool chains(const Scope& scope, const Value& undefined) {
  return scope.undefined == UndefinedMode::chainable && undefined.length == 0;
}

// True for what has Python's __html__: markup, and undefined values of Jinja2's ChainableUndefined.
[[nodiscard]] inline bool is_html(const Scope& scope, const Value& value) {
  return value.kind == Kind::markup || (value.kind == Kind::undefined && chains(scope, value));
}

// Charges looking through a text; a step of work is about what 16 bytes cost.
inline void charge_text(const Scope& scope, std::string_view text) {
  scope.arena.charge(text.size() / 16);
}

// Truth, as `if` asks for it.
[[nodiscard]] Outcome truth(const Scope& scope, const Value& value, bool& out);

// str(value): text borrowed or in the arena.
[[nodiscard]] Outcome text_of(const Scope& scope, const Value& value, std::string_view& out);

[[nodiscard]] Outcome add(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome subtract(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome multiply(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome divide(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome floor_divide(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome modulo(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome negate(const Value& value, Value& out);
[[nodiscard]] Outcome positive(const Value& value, Value& out);

// a / b of two integers, correctly rounded, as Python's int.__truediv__.
[[nodiscard]] double true_divide(std::int64_t a, std::int64_t b);

[[nodiscard]] Outcome equal(const Scope& scope, const Value& left, const Value& right, bool& out);
enum class Order : std::uint8_t { less, less_equal, greater, greater_equal };
[[nodiscard]] Outcome compare(const Scope& scope, Order order, const Value& left, const Value& right,
                              bool& out);
// needle in haystack
[[nodiscard]] Outcome contains(const Scope& scope, const Value& needle, const Value& haystack, bool& out);

// `~`: str of each joined; under autoescape the result is markup, the rest escaped, as soon as one part is
// markup.
[[nodiscard]] Outcome concat(const Scope& scope, const Value* values, std::uint32_t count, bool autoescape,
                             Value& out);

// environment.getitem(container, index)
[[nodiscard]] Outcome subscript(const Scope& scope, const Value& container, const Value& index, Value& out);

// len(value)
[[nodiscard]] Outcome length(const Scope& scope, const Value& value, std::int64_t& out);

// The item of a list, tuple or column_list; index within its length.
[[nodiscard]] Outcome item(const Scope& scope, const Value& list, std::uint32_t index, Value& out);

// markupsafe.escape over text in the arena.
[[nodiscard]] Outcome escape(const Scope& scope, std::string_view text, std::string_view& out);

}  // namespace labfactory
