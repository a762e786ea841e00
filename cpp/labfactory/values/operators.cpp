#include "labfactory/values/operators.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/repr.hpp"
#include "labfactory/values/temporal.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

Outcome truth(const Scope& scope, const Value& value, bool& out) {
  switch (value.kind) {
    case Kind::boolean:
    case Kind::integer:
      out = value.payload.integer != 0;
      return Outcome::ok;
    case Kind::floating:
      out = value.payload.floating != 0.0;
      return Outcome::ok;
    case Kind::text:
    case Kind::markup:
    case Kind::list:
    case Kind::tuple:
    case Kind::dict:
    case Kind::column_list:
    case Kind::column_map:
      out = value.length != 0;
      return Outcome::ok;
    case Kind::none:
      out = false;
      return Outcome::ok;
    case Kind::undefined:
      out = false;
      return raises(scope, value) ? Outcome::undefined : Outcome::ok;
    case Kind::record:
      out = scope.cells.at(value.column).column->child_count() != 0;
      return Outcome::ok;
    case Kind::decimal:
      out = decimal_of(value).coefficient != 0;
      return Outcome::ok;
    case Kind::duration:
      out = value.payload.integer != 0;
      return Outcome::ok;
    case Kind::date:
    case Kind::timestamp:
    case Kind::zoned:
    case Kind::time:
      out = true;
      return Outcome::ok;
    case Kind::pending:
      break;
  }
  return Outcome::type_error;
}

Outcome text_of(const Scope& scope, const Value& value, std::string_view& out) {
  const auto written = [&](char* begin, const char* end) {
    out = {begin, static_cast<std::size_t>(end - begin)};
    return Outcome::ok;
  };
  switch (value.kind) {
    case Kind::text:
    case Kind::markup:
      out = value.view();
      return Outcome::ok;
    case Kind::none:
      out = "None";
      return Outcome::ok;
    case Kind::boolean:
      out = value.payload.integer != 0 ? "True" : "False";
      return Outcome::ok;
    case Kind::undefined:
      out = {};
      return raises(scope, value) ? Outcome::undefined : Outcome::ok;
    case Kind::integer: {
      char* at = scope.arena.allocate(kIntegerBound);
      return written(at, write_integer(at, value.payload.integer));
    }
    case Kind::floating: {
      char* at = scope.arena.allocate(kReprBound);
      return written(at, write_repr(at, value.payload.floating));
    }
    case Kind::decimal: {
      char* at = scope.arena.allocate(kDecimalBound);
      return written(at, write_decimal(at, decimal_of(value)));
    }
    case Kind::date:
    case Kind::timestamp:
    case Kind::zoned:
    case Kind::time:
    case Kind::duration:
      return temporal_text(scope, value, out);
    case Kind::list:
    case Kind::tuple:
    case Kind::dict:
    case Kind::column_list:
    case Kind::column_map:
    case Kind::record:
      return repr(scope, value, out);
    case Kind::pending:
      break;
  }
  return Outcome::type_error;
}

Outcome escape(const Scope& scope, std::string_view text, std::string_view& out) {
  if (text.size() > scope.most_bytes) return Outcome::asset_too_large;
  out = escape_text(text, scope.arena);
  return out.size() > scope.most_bytes ? Outcome::asset_too_large : Outcome::ok;
}

Outcome concat(const Scope& scope, const Value* values, std::uint32_t count, bool autoescape, Value& out) {
  bool markup = false;
  for (std::uint32_t i = 0; autoescape && i < count; ++i) markup = markup || values[i].kind == Kind::markup;
  auto* pieces = reinterpret_cast<std::string_view*>(scope.arena.allocate(count * sizeof(std::string_view)));
  std::size_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string_view piece;
    if (const Outcome o = text_of(scope, values[i], piece); o != Outcome::ok) return o;
    if (markup && values[i].kind != Kind::markup) {
      if (const Outcome o = escape(scope, piece, piece); o != Outcome::ok) return o;
    }
    pieces[i] = piece;
    total += piece.size();
    if (total > scope.most_bytes) return Outcome::asset_too_large;
  }
  char* const begin = scope.arena.allocate(total);
  char* at = begin;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!pieces[i].empty()) std::memcpy(at, pieces[i].data(), pieces[i].size());
    at += pieces[i].size();
  }
  out = Value::text({begin, total}, markup);
  return Outcome::ok;
}

Outcome length(const Scope& scope, const Value& value, std::int64_t& out) {
  switch (value.kind) {
    case Kind::text:
    case Kind::markup:
      charge_text(scope, value.view());
      out = count_code_points(value.view());
      return Outcome::ok;
    case Kind::list:
    case Kind::tuple:
    case Kind::column_list:
      out = value.length;
      return Outcome::ok;
    case Kind::record:
      out = static_cast<std::int64_t>(scope.cells.at(value.column).column->child_count());
      return Outcome::ok;
    case Kind::dict:
    case Kind::column_map: {
      Dict dict;
      const Outcome outcome = Dict::open(scope, value, dict);
      out = dict.size();
      return outcome;
    }
    case Kind::undefined:
      out = 0;
      return raises(scope, value) ? Outcome::undefined : Outcome::ok;
    default:
      return Outcome::type_error;
  }
}

Outcome item(const Scope& scope, const Value& list, std::uint32_t index, Value& out) {
  if (list.kind == Kind::column_list) return scope.cells.item(list, index, out);
  out = list.payload.items[index];
  return Outcome::ok;
}

namespace {

// Names that Python's values have beside what templates may read of them: methods and such. Where a name is
// computed, no plan knows of them before.
bool is_method(const Value& container, std::string_view name) {
  if (name.starts_with("_")) return true;
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is_dict(container)) {
    return has({"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update",
                "values"});
  }
  // Others have many, and no template asks them for a computed one.
  return container.kind != Kind::none;
}

Outcome named_item(const Scope& scope, const Value& container, const Value& name, Value& out) {
  if (is_temporal(container)) return attribute(scope, container, name, out);
  return is_method(container, name.view()) ? Outcome::unsupported : Outcome::ok;
}

// environment.getitem: the item, else the attribute of that name, else undefined.
Outcome dict_item(const Scope& scope, const Value& dict, const Value& key, Value& out) {
  bool found = false;
  const Outcome outcome = look_up(scope, dict, key, out, found);
  // A key that cannot be one is no error there.
  if (outcome == Outcome::type_error) return Outcome::ok;
  if (outcome != Outcome::ok || found) return outcome;
  return key.is_text() && is_method(dict, key.view()) ? Outcome::unsupported : Outcome::ok;
}

// The bound of a slice as PySlice_AdjustIndices moves it into the sequence; None stands for its default.
Outcome bound(const Value& given, std::int64_t missing, std::int64_t least, std::int64_t most,
              std::int64_t size, std::int64_t& out) {
  out = missing;
  if (given.kind == Kind::none) return Outcome::ok;
  if (given.kind != Kind::integer && given.kind != Kind::boolean) return Outcome::type_error;
  out = given.payload.integer;
  if (out < 0) out += size;
  out = std::clamp(out, least, most);
  return Outcome::ok;
}

struct Steps {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

// slice.indices(size)
Outcome steps_of(const Value& start, const Value& stop, const Value& step, std::int64_t size, Steps& out) {
  if (step.kind != Kind::none) {
    if (step.kind != Kind::integer && step.kind != Kind::boolean) return Outcome::type_error;
    if (step.payload.integer == 0) return Outcome::value_error;
    out.step = std::max(step.payload.integer, -std::numeric_limits<std::int64_t>::max());
  }
  const bool is_back = out.step < 0;
  const std::int64_t least = is_back ? -1 : 0;
  const std::int64_t most = is_back ? size - 1 : size;
  std::int64_t last = 0;
  if (const Outcome o = bound(start, is_back ? most : least, least, most, size, out.start); o != Outcome::ok)
    return o;
  if (const Outcome o = bound(stop, is_back ? least : most, least, most, size, last); o != Outcome::ok)
    return o;
  const std::int64_t wide = is_back ? out.start - last : last - out.start;
  const std::int64_t stride = is_back ? -out.step : out.step;
  out.count = wide > 0 ? (wide - 1) / stride + 1 : 0;
  return Outcome::ok;
}

Outcome slice_items(const Scope& scope, const Value& list, const Steps& steps, Value& out) {
  const auto count = static_cast<std::uint32_t>(steps.count);
  scope.arena.charge(count);
  if (list.kind == Kind::column_list && steps.step == 1) {
    out = Value::column_list(list.column, list.payload.integer + steps.start, count);
    return Outcome::ok;
  }
  if (count > scope.most_bytes / sizeof(Value)) return Outcome::asset_too_large;
  auto* items = reinterpret_cast<Value*>(scope.arena.allocate(count * sizeof(Value)));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint32_t>(steps.start + steps.step * i);
    if (const Outcome o = item(scope, list, at, items[i]); o != Outcome::ok) return o;
  }
  out = Value::list(items, count, list.kind == Kind::tuple ? Kind::tuple : Kind::list);
  return Outcome::ok;
}

// Characters lie at offsets that only a pass over the text finds.
Outcome slice_characters(const Scope& scope, const Value& text, const Steps& steps, Value& out) {
  const std::string_view all = text.view();
  const bool is_markup = text.kind == Kind::markup;
  if (steps.step == 1) {
    out = Value::text(slice_text(all, steps.start, steps.start + steps.count), is_markup);
    return Outcome::ok;
  }
  Value characters;
  if (const Outcome o = iterate(scope, text, characters); o != Outcome::ok) return o;
  char* const begin = scope.arena.allocate(all.size());
  char* at = begin;
  for (std::int64_t i = 0; i < steps.count; ++i) {
    const std::string_view character = characters.payload.items[steps.start + steps.step * i].view();
    std::memcpy(at, character.data(), character.size());
    at += character.size();
  }
  out = Value::text({begin, static_cast<std::size_t>(at - begin)}, is_markup);
  return Outcome::ok;
}

}  // namespace

Outcome slice(const Scope& scope, const Value& container, const Value& start, const Value& stop,
              const Value& step, Value& out) {
  if (container.kind == Kind::undefined) {
    out = container;
    return chains(scope, container) ? Outcome::ok : Outcome::undefined;
  }
  const bool is_list =
      container.kind == Kind::list || container.kind == Kind::tuple || container.kind == Kind::column_list;
  if (!is_list && !container.is_text()) return Outcome::type_error;
  std::int64_t size = 0;
  if (const Outcome o = length(scope, container, size); o != Outcome::ok) return o;
  Steps steps;
  if (const Outcome o = steps_of(start, stop, step, size, steps); o != Outcome::ok) return o;
  return is_list ? slice_items(scope, container, steps, out) : slice_characters(scope, container, steps, out);
}

Outcome attribute(const Scope& scope, const Value& value, const Value& name, Value& out) {
  out = Value::undefined();
  if (value.kind == Kind::undefined) {
    out = value;
    return chains(scope, value) ? Outcome::ok : Outcome::undefined;
  }
  if (is_dict(value)) {
    bool found = false;
    return look_up(scope, value, name, out, found);
  }
  if (!is_temporal(value)) return Outcome::ok;
  std::int64_t part = 0;
  if (!temporal_part(value, name.view(), part)) return Outcome::unsupported;
  out = Value::integer(part);
  return Outcome::ok;
}

Outcome subscript(const Scope& scope, const Value& container, const Value& index, Value& out) {
  out = Value::undefined();
  if (container.kind == Kind::undefined) {
    out = container;
    return chains(scope, container) ? Outcome::ok : Outcome::undefined;
  }
  if (is_dict(container)) return dict_item(scope, container, index, out);
  // Jinja2 answers a key that does not go with the container by an undefined value, not by an error.
  if (index.kind != Kind::integer && index.kind != Kind::boolean) {
    return index.is_text() ? named_item(scope, container, index, out) : Outcome::ok;
  }
  const std::int64_t at = index.payload.integer;
  switch (container.kind) {
    case Kind::text:
    case Kind::markup: {
      charge_text(scope, container.view());
      const auto character = index_text(container.view(), at);
      if (character) out = Value::text(*character, container.kind == Kind::markup);
      return Outcome::ok;
    }
    case Kind::list:
    case Kind::tuple:
    case Kind::column_list: {
      const std::int64_t size = container.length;
      if (at >= size || at < -size) return Outcome::ok;
      return item(scope, container, static_cast<std::uint32_t>(at < 0 ? at + size : at), out);
    }
    default:
      return Outcome::ok;
  }
}

}  // namespace labfactory
