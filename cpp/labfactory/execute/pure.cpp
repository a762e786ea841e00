#include "labfactory/execute/pure.hpp"

#include <cstring>

#include "labfactory/execute/loop.hpp"
#include "labfactory/values/calls.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/memo.hpp"
#include "labfactory/values/printf.hpp"

namespace labfactory {

namespace {

Outcome absent_field(const Scope& scope, const Value& base, std::int32_t constant, Value& out) {
  out = base.kind == Kind::undefined ? base : Value::undefined(constant);
  return base.kind != Kind::undefined || chains(scope, base) ? Outcome::ok : Outcome::undefined;
}

Outcome make_list(const Scope& scope, const Value* items, std::uint32_t count, Kind kind, Value& out) {
  const std::size_t bytes = count * sizeof(Value);
  auto* kept = reinterpret_cast<Value*>(scope.arena.allocate(bytes));
  if (count != 0) std::memcpy(kept, items, bytes);
  out = Value::list(kept, count, kind);
  return Outcome::ok;
}

// The items of a value when there are exactly `count` of them.
Outcome unpack(const Scope& scope, const Value& value, std::int32_t count, Value& out) {
  Loop loop;
  if (const Outcome o = begin_loop(scope, value, loop); o != Outcome::ok) return o;
  out = loop.items;
  return out.length == static_cast<std::uint32_t>(count) ? Outcome::ok : Outcome::value_error;
}

Outcome format(const Scope& scope, const Format& format, const Value* arguments, Value& out) {
  FormatWriter writer(scope);
  for (const Format::Piece& piece : format.pieces()) {
    if (const Outcome o = writer.literal(piece.literal); o != Outcome::ok) return o;
    if (const Outcome o = writer.argument(piece.conversion, *arguments++); o != Outcome::ok) return o;
  }
  if (const Outcome o = writer.literal(format.tail()); o != Outcome::ok) return o;
  out = Value::text(writer.text());
  return Outcome::ok;
}

}  // namespace

Outcome read_field(const Program& program, const Scope& scope, const Value& base, std::int32_t column,
                   Value& out) {
  out = Value::undefined();
  switch (base.kind) {
    case Kind::record: {
      const ColumnUse& use = program.columns[static_cast<std::size_t>(column)];
      // A union of records from different columns: the field is looked up by name.
      const std::int32_t found = base.column == use.parent ? column : scope.cells.field(base, use.name);
      // A plan reads the field of every struct that has it; only a plan made by hand may have left it out.
      if (found < 0) return scope.cells.has_field(base, use.name) ? Outcome::unsupported : Outcome::ok;
      return scope.cells.read(static_cast<std::size_t>(found), base.payload.integer, out);
    }
    case Kind::dict:
    case Kind::column_map:
      return attribute(scope, base, Value::text(program.columns[static_cast<std::size_t>(column)].name), out);
    case Kind::undefined:
      out = base;
      return chains(scope, base) ? Outcome::ok : Outcome::undefined;
    // Other kinds have Python methods that a field's name could mean.
    case Kind::none:
      return Outcome::ok;
    default:
      return Outcome::unsupported;
  }
}

template <std::size_t Stride>
Outcome compute(const Program& program, const Scope& scope, const Instruction& instruction,
                Frame<Stride> frame, std::int64_t row) {
  const auto& o = instruction.operands;
  Value& out = frame[o[0]];
  // Consecutive registers as an array: in place where they are adjacent, else gathered.
  Value* gathered = nullptr;
  const auto arguments = [&](std::int32_t first, std::int32_t count) -> const Value* {
    if constexpr (Stride == 1) return &frame.first[first];
    gathered =
        reinterpret_cast<Value*>(scope.arena.allocate(static_cast<std::size_t>(count) * sizeof(Value)));
    for (std::int32_t i = 0; i < count; ++i) gathered[i] = frame[first + i];
    return gathered;
  };
  const auto boolean = [&](Outcome outcome, bool found) {
    out = Value::boolean(found);
    return outcome;
  };
  bool found = false;
  switch (instruction.opcode) {
    case Opcode::constant:
      out = program.constants[static_cast<std::size_t>(o[1])];
      return Outcome::ok;
    case Opcode::column:
      return scope.cells.read(static_cast<std::size_t>(o[1]), row, out);
    case Opcode::field:
      return read_field(program, scope, Value{frame[o[1]]}, o[2], out);
    case Opcode::absent_field:
      return absent_field(scope, Value{frame[o[1]]}, o[2], out);
    case Opcode::attribute:
      return attribute(scope, Value{frame[o[1]]}, program.constants[static_cast<std::size_t>(o[2])], out);
    case Opcode::slice: {
      const Value* const a = arguments(o[1], o[2]);
      Value part;
      const Outcome outcome = slice(scope, a[0], a[1], a[2], a[3], part);
      out = part;
      return outcome;
    }
    case Opcode::subscript:
      return subscript(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::move:
      out = frame[o[1]];
      return Outcome::ok;
    case Opcode::undefined:
      out = Value::undefined(o[1], o[2] != 0);
      return Outcome::ok;
    case Opcode::list:
      return make_list(scope, arguments(o[1], o[2]), static_cast<std::uint32_t>(o[2]), Kind::list, out);
    case Opcode::tuple:
      return make_list(scope, arguments(o[1], o[2]), static_cast<std::uint32_t>(o[2]), Kind::tuple, out);
    case Opcode::unpack:
      return unpack(scope, Value{frame[o[1]]}, o[2], out);
    case Opcode::dict: {
      Value made;
      const Outcome outcome =
          make_dict(scope, arguments(o[1], o[2]), static_cast<std::uint32_t>(o[2]) / 2, made);
      out = made;
      return outcome;
    }
    case Opcode::add:
      return add(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::subtract:
      return subtract(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::multiply:
      return multiply(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::divide:
      return divide(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::floor_divide:
      return floor_divide(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::power:
      return power(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::modulo:
      return modulo(scope, Value{frame[o[1]]}, Value{frame[o[2]]}, out);
    case Opcode::negate:
      return negate(scope, Value{frame[o[1]]}, out);
    case Opcode::positive:
      return positive(scope, Value{frame[o[1]]}, out);
    case Opcode::negation: {
      const Outcome outcome = truth(scope, frame[o[1]], found);
      return boolean(outcome, !found);
    }
    case Opcode::concat: {
      Value joined;
      const Outcome outcome =
          concat(scope, arguments(o[1], o[2]), static_cast<std::uint32_t>(o[2]), o[3] != 0, joined);
      out = joined;
      return outcome;
    }
    case Opcode::format: {
      Value text;
      const Outcome outcome =
          format(scope, program.formats[static_cast<std::size_t>(o[1])], arguments(o[2], o[3]), text);
      out = text;
      return outcome;
    }
    case Opcode::equal: {
      const Outcome outcome = equal(scope, frame[o[1]], frame[o[2]], found);
      return boolean(outcome, found);
    }
    case Opcode::not_equal: {
      const Outcome outcome = equal(scope, frame[o[1]], frame[o[2]], found);
      return boolean(outcome, !found);
    }
    case Opcode::less:
    case Opcode::less_equal:
    case Opcode::greater:
    case Opcode::greater_equal: {
      const auto order =
          static_cast<Order>(static_cast<int>(instruction.opcode) - static_cast<int>(Opcode::less));
      const Outcome outcome = compare(scope, order, frame[o[1]], frame[o[2]], found);
      return boolean(outcome, found);
    }
    case Opcode::contains: {
      const Outcome outcome = contains(scope, frame[o[1]], frame[o[2]], found);
      return boolean(outcome, found);
    }
    case Opcode::not_contains: {
      const Outcome outcome = contains(scope, frame[o[1]], frame[o[2]], found);
      return boolean(outcome, !found);
    }
    case Opcode::filter: {
      Value result;
      const Outcome outcome = call_filter(scope, static_cast<Filter>(o[1]), arguments(o[2], o[3]), result);
      out = result;
      return outcome;
    }
    case Opcode::call: {
      if (scope.memo == nullptr) return Outcome::unsupported;
      Value result;
      const Outcome outcome = scope.memo->call(scope, o[1], arguments(o[2], o[3]), o[3], result);
      out = result;
      return outcome;
    }
    case Opcode::method: {
      Value result;
      const Outcome outcome = call_method(scope, static_cast<Method>(o[1]), arguments(o[2], o[3]),
                                          static_cast<std::uint32_t>(o[3]), result);
      out = result;
      return outcome;
    }
    case Opcode::test: {
      const Outcome outcome = call_test(scope, static_cast<Test>(o[1]), frame[o[2]], found);
      return boolean(outcome, found);
    }
    default:
      return Outcome::unsupported;
  }
}

template Outcome compute<1>(const Program&, const Scope&, const Instruction&, Frame<1>, std::int64_t);
template Outcome compute<kBlockRows>(const Program&, const Scope&, const Instruction&, Frame<kBlockRows>,
                                     std::int64_t);

}  // namespace labfactory
