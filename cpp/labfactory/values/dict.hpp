// One view over everything that a template takes for a dict: one made by a template, a row of a struct, a row
// of an Arrow map. Owner: borrows as the value does; made dicts lie in the scope's arena. Threads: one scope
// belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

[[nodiscard]] inline bool is_dict(const Value& value) {
  return value.kind == Kind::dict || value.kind == Kind::column_map || value.kind == Kind::record;
}

class Dict {
 public:
  // The view of a dict. Row errors: value_error for an Arrow map with a key twice, unsupported for a struct
  // of which the plan reads only some fields.
  [[nodiscard]] static Outcome open(const Scope& scope, const Value& value, Dict& out);

  [[nodiscard]] std::uint32_t size() const { return size_; }
  // By position, below size().
  [[nodiscard]] Outcome key(const Scope& scope, std::uint32_t index, Value& out) const;
  [[nodiscard]] Outcome value(const Scope& scope, std::uint32_t index, Value& out) const;
  // The position of a key, or -1; errors as hash(key) raises.
  [[nodiscard]] Outcome find(const Scope& scope, const Value& key, std::int64_t& index) const;

 private:
  Value value_;
  std::uint32_t size_ = 0;
};

// dict.get(key): the value, or `found` false. Reads a struct's field without needing the others.
[[nodiscard]] Outcome look_up(const Scope& scope, const Value& dict, const Value& key, Value& out,
                              bool& found);

// Whether hash(value) raises: type_error for lists and dicts, undefined where undefined values do.
[[nodiscard]] Outcome check_hashable(const Scope& scope, const Value& value);

// {k: v, ...} of `count` pairs that lie one behind the other.
[[nodiscard]] Outcome make_dict(const Scope& scope, const Value* pairs, std::uint32_t count, Value& out);

}  // namespace labfactory
