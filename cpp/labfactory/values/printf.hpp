// `format % arguments` of Python's str, and of MarkupSafe's Markup.
// Owner: results lie in the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "labfactory/values/format.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

// A formatted text while it grows in the arena.
class FormatWriter {
 public:
  explicit FormatWriter(const Scope& scope) : scope_(scope) {}

  Outcome literal(std::string_view text);
  // One conversion of one argument.
  Outcome argument(const Conversion& conversion, const Value& value);

  [[nodiscard]] std::string_view text() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  Outcome number(const Conversion& conversion, const Value& value);
  Outcome written(const Conversion& conversion, std::string_view text);
  Outcome reserve(std::size_t bytes);

  const Scope& scope_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  std::size_t capacity_ = 0;
};

// text % right, for a format that is not read before it is used: a tuple's items in order, what `[name]`
// finds in a dict, or one value. Errors come in the order in which Python meets them.
[[nodiscard]] Outcome format_text(const Scope& scope, const Value& text, const Value& right, Value& out);

}  // namespace labfactory
