// What a template's branches ask of values, with the usual kinds answered in place.
// Owner: borrows what it is given.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>
#include <cstring>

#include "labfactory/plan/opcode.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

template <class T>
[[gnu::always_inline]] inline T load_as(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
[[nodiscard, gnu::always_inline]] inline bool bit_at(const char* bits, std::int64_t i) {
  return ((static_cast<unsigned char>(bits[i >> 3]) >> (i & 7)) & 1) != 0;
}
// Whether a row is not null.
[[nodiscard, gnu::always_inline]] inline bool is_set(const Reader& reader, std::int64_t row) {
  return reader.validity == nullptr ||
         bit_at(reinterpret_cast<const char*>(reader.validity), reader.first_bit + row);
}

template <class T>
[[nodiscard]] inline bool relate(Opcode relation, T a, T b) {
  switch (relation) {
    case Opcode::equal:
      return a == b;
    case Opcode::not_equal:
      return a != b;
    case Opcode::less:
      return a < b;
    case Opcode::less_equal:
      return a <= b;
    case Opcode::greater:
      return a > b;
    default:
      return a >= b;
  }
}

[[nodiscard, gnu::always_inline]] inline Outcome truth_of(const Scope& scope, const Value& value, bool& out) {
  switch (value.kind) {
    case Kind::boolean:
    case Kind::integer:
      out = value.payload.integer != 0;
      return Outcome::ok;
    case Kind::text:
      out = value.length != 0;
      return Outcome::ok;
    case Kind::none:
      out = false;
      return Outcome::ok;
    default:
      return truth(scope, value, out);
  }
}

[[nodiscard]] inline Outcome relate_plainly(const Scope& scope, Opcode relation, const Value& a,
                                            const Value& b, bool& out) {
  switch (relation) {
    case Opcode::equal:
      return equal(scope, a, b, out);
    case Opcode::not_equal: {
      const Outcome outcome = equal(scope, a, b, out);
      out = !out;
      return outcome;
    }
    case Opcode::contains:
      return contains(scope, a, b, out);
    case Opcode::not_contains: {
      const Outcome outcome = contains(scope, a, b, out);
      out = !out;
      return outcome;
    }
    default: {
      const auto order = static_cast<Order>(static_cast<int>(relation) - static_cast<int>(Opcode::less));
      return compare(scope, order, a, b, out);
    }
  }
}

// `relation` is equal … not_contains.
[[nodiscard, gnu::always_inline]] inline Outcome relation_of(const Scope& scope, Opcode relation,
                                                             const Value& a, const Value& b, bool& out) {
  if (a.kind == b.kind && relation <= Opcode::greater_equal) {
    if (a.kind == Kind::integer) {
      out = relate(relation, a.payload.integer, b.payload.integer);
      return Outcome::ok;
    }
    if (a.kind == Kind::floating) {
      out = relate(relation, a.payload.floating, b.payload.floating);
      return Outcome::ok;
    }
    if (a.kind == Kind::text && relation <= Opcode::not_equal) {
      if (a.length == b.length) charge_text(scope, a.view());
      const bool is_same = a.length == b.length &&
                           (a.length == 0 || std::memcmp(a.payload.text, b.payload.text, a.length) == 0);
      out = is_same == (relation == Opcode::equal);
      return Outcome::ok;
    }
  }
  return relate_plainly(scope, relation, a, b, out);
}

}  // namespace labfactory
