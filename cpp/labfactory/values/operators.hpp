// Python's operators over values, as Jinja2's compiled templates use them: one scalar function each, for both
// machines. Owner: results borrow from their operands, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>
#include <limits>
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
  // What the arena may be charged: operations on values within values stop there themselves.
  std::size_t most_charged = std::numeric_limits<std::size_t>::max();
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

// Charges steps; an error where the row has taken too many.
[[nodiscard]] inline Outcome spend(const Scope& scope, std::size_t steps) {
  scope.arena.charge(steps);
  return scope.arena.charged() > scope.most_charged ? Outcome::work_limit : Outcome::ok;
}

// One level of values within values, while it lives. Python stops near a thousand, and no content comes near.
class Deeper {
 public:
  explicit Deeper(const Scope& scope) : depth_(scope.arena.depth()) { ++depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --depth_; }
  [[nodiscard]] bool is_allowed() const { return depth_ <= kMost; }

 private:
  static constexpr int kMost = 200;
  int& depth_;
};

// Truth, as `if` asks for it.
[[nodiscard]] Outcome truth(const Scope& scope, const Value& value, bool& out);

// str(value): text borrowed or in the arena.
[[nodiscard]] Outcome text_of(const Scope& scope, const Value& value, std::string_view& out);

[[nodiscard]] Outcome add(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome subtract(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome multiply(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome divide(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome floor_divide(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome power(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome modulo(const Scope& scope, const Value& left, const Value& right, Value& out);
[[nodiscard]] Outcome negate(const Scope& scope, const Value& value, Value& out);
[[nodiscard]] Outcome positive(const Scope& scope, const Value& value, Value& out);

// a / b of two integers, correctly rounded, as Python's int.__truediv__.
[[nodiscard]] double true_divide(std::int64_t a, std::int64_t b);

[[nodiscard]] Outcome equal(const Scope& scope, const Value& left, const Value& right, bool& out);
// The same within lists and dicts, where Python takes one object for equal to itself before it compares.
[[nodiscard]] Outcome equal_items(const Scope& scope, const Value& left, const Value& right, bool& out);
enum class Order : std::uint8_t { less, less_equal, greater, greater_equal };
[[nodiscard]] Outcome compare(const Scope& scope, Order order, const Value& left, const Value& right,
                              bool& out);
// needle in haystack
[[nodiscard]] Outcome contains(const Scope& scope, const Value& needle, const Value& haystack, bool& out);

// `~`: str of each joined; under autoescape the result is markup, the rest escaped, as soon as one part is
// markup.
[[nodiscard]] Outcome concat(const Scope& scope, const Value* values, std::uint32_t count, bool autoescape,
                             Value& out);

// container[start:stop:step]; None where the slice leaves a bound out.
[[nodiscard]] Outcome slice(const Scope& scope, const Value& container, const Value& start, const Value& stop,
                            const Value& step, Value& out);

// environment.getattr(value, name) of what is no method: a dict's value, a part of a date or time.
[[nodiscard]] Outcome attribute(const Scope& scope, const Value& value, const Value& name, Value& out);

// environment.getitem(container, index)
[[nodiscard]] Outcome subscript(const Scope& scope, const Value& container, const Value& index, Value& out);

// len(value)
[[nodiscard]] Outcome length(const Scope& scope, const Value& value, std::int64_t& out);

// The item of a list, tuple or column_list; index within its length.
[[nodiscard]] Outcome item(const Scope& scope, const Value& list, std::uint32_t index, Value& out);

// markupsafe.escape over text in the arena.
[[nodiscard]] Outcome escape(const Scope& scope, std::string_view text, std::string_view& out);

}  // namespace labfactory
