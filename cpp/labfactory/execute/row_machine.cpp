#include "labfactory/execute/row_machine.hpp"

#include <cstring>

#include "labfactory/execute/pure.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// Intermediate text may take this many times the bytes of the largest asset before a row is stopped.
constexpr std::size_t kArenaShare = 4;
// Looking at an item of a list is this much cheaper than a step of a loop.
constexpr std::size_t kLooksAStep = 64;

// memcpy whose short cases are two moves: most literals and names are shorter than 32 bytes.
void copy_bytes(char* to, const char* from, std::size_t n) {
  if (n > 32) {
    std::memcpy(to, from, n);
  } else if (n >= 16) {
    char head[16];
    char tail[16];
    std::memcpy(head, from, 16);
    std::memcpy(tail, from + n - 16, 16);
    std::memcpy(to, head, 16);
    std::memcpy(to + n - 16, tail, 16);
  } else if (n >= 8) {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::memcpy(&head, from, 8);
    std::memcpy(&tail, from + n - 8, 8);
    std::memcpy(to, &head, 8);
    std::memcpy(to + n - 8, &tail, 8);
  } else if (n >= 4) {
    std::uint32_t head = 0;
    std::uint32_t tail = 0;
    std::memcpy(&head, from, 4);
    std::memcpy(&tail, from + n - 4, 4);
    std::memcpy(to, &head, 4);
    std::memcpy(to + n - 4, &tail, 4);
  } else {
    for (std::size_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

}  // namespace

RowMachine::RowMachine(const Program& program, const Binding& binding)
    : program_(program),
      scope_{arena_, binding.cells(), program.undefined,
             static_cast<std::size_t>(program.limits.asset_bytes)},
      most_arena_bytes_(kArenaShare * static_cast<std::size_t>(program.limits.asset_bytes)),
      most_charged_(kLooksAStep * static_cast<std::size_t>(program.limits.work)),
      registers_(static_cast<std::size_t>(program.registers)),
      loops_(static_cast<std::size_t>(program.loops)) {}

RowEvent RowMachine::assemble(std::int64_t row, std::span<PartCursor> parts) {
  parts_ = parts;
  part_ = parts.data();
  return run(row);
}

RowEvent RowMachine::evaluate(std::int64_t row, Value& out) {
  parts_ = {};
  part_ = nullptr;
  const RowEvent event = run(row);
  out = result_;
  return event;
}

RowEvent RowMachine::run(std::int64_t row) {
  arena_.reset();
  result_ = Value::none();
  const Frame<1> frame{registers_.data()};
  const Instruction* const code = program_.code.data();
  const Instruction* at = code;
  std::int64_t work = program_.limits.work;
  const auto failed = [&](Outcome outcome) {
    return RowEvent{RowEvent::Kind::failed, outcome, -1, at->span};
  };
  const auto full = [&] {
    const auto part = static_cast<std::int32_t>(part_ - parts_.data());
    return RowEvent{RowEvent::Kind::full, Outcome::ok, part, at->span};
  };
  for (;;) {
    const auto& o = at->operands;
    switch (at->opcode) {
      case Opcode::emit_literal:
        if (!write(program_.literals[static_cast<std::size_t>(o[0])])) return full();
        break;
      case Opcode::emit_column:
      case Opcode::emit_column_escaped: {
        Value value;
        if (const Outcome r = scope_.cells.read(static_cast<std::size_t>(o[0]), row, value);
            r != Outcome::ok) {
          return failed(r);
        }
        bool is_full = false;
        const Outcome r = emit(value, at->opcode == Opcode::emit_column_escaped, is_full);
        if (r != Outcome::ok) return failed(r);
        if (is_full) return full();
        break;
      }
      case Opcode::emit:
      case Opcode::emit_escaped: {
        bool is_full = false;
        const Outcome r = emit(frame[o[0]], at->opcode == Opcode::emit_escaped, is_full);
        if (r != Outcome::ok) return failed(r);
        if (is_full) return full();
        break;
      }
      case Opcode::jump:
        at = code + o[0];
        continue;
      case Opcode::jump_if_false:
      case Opcode::jump_if_true: {
        bool holds = false;
        if (const Outcome r = truth(scope_, frame[o[0]], holds); r != Outcome::ok) return failed(r);
        if (holds == (at->opcode == Opcode::jump_if_true)) {
          at = code + o[1];
          continue;
        }
        break;
      }
      case Opcode::loop_begin: {
        Loop& loop = loops_[static_cast<std::size_t>(o[0])];
        if (const Outcome r = begin_loop(loop, frame[o[1]]); r != Outcome::ok) return failed(r);
        if (loop.items.length == 0) {
          at = code + o[3];
          continue;
        }
        if (const Outcome r = loop_item(loop, 0, frame[o[2]]); r != Outcome::ok) return failed(r);
        break;
      }
      case Opcode::loop_next: {
        Loop& loop = loops_[static_cast<std::size_t>(o[0])];
        if (--work <= 0) return failed(Outcome::work_limit);
        if (++loop.index < loop.items.length) {
          if (const Outcome r = loop_item(loop, loop.index, frame[o[1]]); r != Outcome::ok) return failed(r);
          at = code + o[2];
          continue;
        }
        break;
      }
      case Opcode::loop_attribute: {
        const Loop& loop = loops_[static_cast<std::size_t>(o[1])];
        const Outcome r = loop_attribute(loop, static_cast<LoopAttribute>(o[2]), frame[o[0]]);
        if (r != Outcome::ok) return failed(r);
        break;
      }
      case Opcode::append:
        if (const Outcome r = append(frame[o[0]], frame[o[1]]); r != Outcome::ok) return failed(r);
        break;
      case Opcode::slot: {
        const auto& table = program_.tables[static_cast<std::size_t>(o[1])];
        Value choice;
        if (const Outcome r = scope_.cells.read(static_cast<std::size_t>(o[0]), row, choice);
            r != Outcome::ok) {
          return failed(r);
        }
        const bool is_known = choice.kind == Kind::integer && choice.payload.integer >= 0 &&
                              static_cast<std::uint64_t>(choice.payload.integer) < table.size();
        if (!is_known) return failed(Outcome::no_component);
        at = code + table[static_cast<std::size_t>(choice.payload.integer)];
        continue;
      }
      case Opcode::part:
        if (!parts_.empty()) part_ = &parts_[static_cast<std::size_t>(o[0])];
        break;
      case Opcode::skip:
        return {RowEvent::Kind::skipped, Outcome::ok, o[0], at->span};
      case Opcode::result:
        result_ = frame[o[0]];
        return {};
      case Opcode::end:
        return {};
      default: {
        if (const Outcome r = compute(program_, scope_, *at, frame, row); r != Outcome::ok) return failed(r);
        if (arena_.used() > most_arena_bytes_) return failed(Outcome::asset_too_large);
        if (arena_.charged() > most_charged_) return failed(Outcome::work_limit);
        break;
      }
    }
    ++at;
  }
}

bool RowMachine::write(std::string_view text) {
  if (part_ == nullptr) return true;
  if (text.size() > static_cast<std::size_t>(part_->limit - part_->at)) return false;
  copy_bytes(part_->at, text.data(), text.size());
  part_->at += text.size();
  return true;
}

bool RowMachine::write_escaped(std::string_view text) {
  if (part_ == nullptr) return true;
  static_assert(kPartSlack >= kEscapeSlack);
  const auto room = static_cast<std::size_t>(part_->limit - part_->at);
  // The bound is five times the text; only near the end is the exact size worth a pass.
  if (escaped_bound(text.size()) - kEscapeSlack > room && escaped_size(text) > room) return false;
  part_->at = labfactory::write_escaped(part_->at, text);
  return true;
}

Outcome RowMachine::emit(const Value& value, bool escaped, bool& full) {
  switch (value.kind) {
    case Kind::text:
      full = !(escaped ? write_escaped(value.view()) : write(value.view()));
      return Outcome::ok;
    case Kind::markup:
      full = !write(value.view());
      return Outcome::ok;
    case Kind::integer:
    case Kind::floating: {
      char buffer[kReprBound];
      const char* const end = value.kind == Kind::integer ? write_integer(buffer, value.payload.integer)
                                                          : write_repr(buffer, value.payload.floating);
      full = !write({buffer, static_cast<std::size_t>(end - buffer)});
      return Outcome::ok;
    }
    default: {
      // What is left prints nothing that needs escaping.
      std::string_view text;
      if (const Outcome o = text_of(scope_, value, text); o != Outcome::ok) return o;
      full = !write(text);
      return Outcome::ok;
    }
  }
}

Outcome RowMachine::begin_loop(Loop& loop, const Value& items) const {
  loop.index = 0;
  loop.items = items;
  switch (items.kind) {
    case Kind::list:
    case Kind::tuple:
    case Kind::column_list:
      return Outcome::ok;
    case Kind::undefined:
      loop.items = Value::list(nullptr, 0);
      return raises(scope_, items) ? Outcome::undefined : Outcome::ok;
    case Kind::text:
    case Kind::markup:
    case Kind::record:
      return Outcome::unsupported;
    default:
      return Outcome::type_error;
  }
}

Outcome RowMachine::loop_item(const Loop& loop, std::int64_t index, Value& out) const {
  if (index < 0 || index >= loop.items.length) {
    out = Value::undefined();
    return Outcome::ok;
  }
  return item(scope_, loop.items, static_cast<std::uint32_t>(index), out);
}

Outcome RowMachine::loop_attribute(const Loop& loop, LoopAttribute attribute, Value& out) const {
  const std::int64_t index = loop.index;
  const std::int64_t length = loop.items.length;
  switch (attribute) {
    case LoopAttribute::index:
      out = Value::integer(index + 1);
      break;
    case LoopAttribute::index0:
      out = Value::integer(index);
      break;
    case LoopAttribute::revindex:
      out = Value::integer(length - index);
      break;
    case LoopAttribute::revindex0:
      out = Value::integer(length - index - 1);
      break;
    case LoopAttribute::first:
      out = Value::boolean(index == 0);
      break;
    case LoopAttribute::last:
      out = Value::boolean(index == length - 1);
      break;
    case LoopAttribute::length:
      out = Value::integer(length);
      break;
    // Only recursive loops go deeper, and those are not lowered.
    case LoopAttribute::depth:
      out = Value::integer(1);
      break;
    case LoopAttribute::depth0:
      out = Value::integer(0);
      break;
    case LoopAttribute::previtem:
      return loop_item(loop, index - 1, out);
    case LoopAttribute::nextitem:
      return loop_item(loop, index + 1, out);
  }
  return Outcome::ok;
}

Outcome RowMachine::append(Value& list, const Value& item) {
  if (list.kind != Kind::list) return Outcome::type_error;
  const std::uint32_t count = list.length;
  // Room doubles at each power of two, so a list of n items moves fewer than 2n.
  const bool is_grown = (count & (count - 1)) == 0;
  auto* items = const_cast<Value*>(list.payload.items);
  if (is_grown) {
    const std::size_t room = count == 0 ? 1 : std::size_t{2} * count;
    if (room * sizeof(Value) > scope_.most_bytes) return Outcome::asset_too_large;
    items = reinterpret_cast<Value*>(arena_.allocate(room * sizeof(Value)));
    if (count != 0) std::memcpy(items, list.payload.items, count * sizeof(Value));
  }
  items[count] = item;
  list = Value::list(items, count + 1);
  return Outcome::ok;
}

}  // namespace labfactory
