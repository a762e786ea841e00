// Going through values, and ordering, grouping and cutting lists of them: what Jinja2's filters of sequences
// do once their keys are known.
// Owner: results lie in the scope's arena, or are views of their arguments.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// True for what Python iterates: text, lists, tuples, dicts, structs and undefined values.
[[nodiscard]] bool is_iterable(const Value& value);

// True for dicts and structs.
[[nodiscard]] bool is_mapping(const Value& value);

// iter(value): a list, tuple or column_list whose items are what Python would go through.
[[nodiscard]] Outcome iterate(const Scope& scope, const Value& value, Value& out);

// list(value)
[[nodiscard]] Outcome list_of(const Scope& scope, const Value& value, Value& out);

// The keys and values of a dict or struct by turns, twice as many as it has entries.
[[nodiscard]] Outcome entries_of(const Scope& scope, const Value& value, Value& out);

// Room for a list in the arena; asset_too_large where it is too long.
[[nodiscard]] Outcome allocate_items(const Scope& scope, std::uint64_t count, Value*& out);

// The pairs of (grouper, items whose keys are equal), in the order of the keys.
[[nodiscard]] Outcome group_by(const Scope& scope, const Value& items, const Value& keys,
                               const Value& groupers, Value& out);

// sorted(items) by keys of the same number: stable.
[[nodiscard]] Outcome sort_by(const Scope& scope, const Value& items, const Value& keys, bool reverse,
                              Value& out);

// The first item whose key is least or greatest; undefined where there are none.
[[nodiscard]] Outcome extreme_by(const Scope& scope, const Value& items, const Value& keys, Order order,
                                 Value& out);

// Whether a set of these values would not hold a key.
[[nodiscard]] Outcome is_new(const Scope& scope, const Value& seen, const Value& key, bool& out);

// sum(items, start); compensated as CPython sums floats since 3.12.
[[nodiscard]] Outcome sum(const Scope& scope, const Value& items, const Value& start, bool compensated,
                          Value& out);

// `items|batch(count, fill)` and `items|slice(count, fill)` as lists of lists.
[[nodiscard]] Outcome batch(const Scope& scope, const Value& items, const Value& count, const Value& fill,
                            Value& out);
[[nodiscard]] Outcome slice(const Scope& scope, const Value& items, const Value& count, const Value& fill,
                            Value& out);

// `value|reverse`
[[nodiscard]] Outcome reverse(const Scope& scope, const Value& value, Value& out);

}  // namespace labfactory
