#include "labfactory/values/operators.hpp"

#include <cstring>
#include <limits>

#include "labfactory/values/escape.hpp"
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
    case Kind::column_list:
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
    case Kind::date:
    case Kind::timestamp:
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
    case Kind::date: {
      char* at = scope.arena.allocate(kDateBound);
      const char* end = write_date(at, value.payload.integer);
      return end == nullptr ? Outcome::out_of_range : written(at, end);
    }
    case Kind::timestamp: {
      char* at = scope.arena.allocate(kTimestampBound);
      const char* end = write_timestamp(at, value.payload.integer);
      return end == nullptr ? Outcome::out_of_range : written(at, end);
    }
    case Kind::list:
    case Kind::tuple:
    case Kind::column_list:
    case Kind::record:
      return Outcome::unsupported;
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

Outcome subscript(const Scope& scope, const Value& container, const Value& index, Value& out) {
  out = Value::undefined();
  if (container.kind == Kind::undefined) {
    out = container;
    return chains(scope, container) ? Outcome::ok : Outcome::undefined;
  }
  // Jinja2 answers a key that does not go with the container by an undefined value, not by an error.
  if (container.kind == Kind::record) {
    if (!index.is_text()) return Outcome::ok;
    const std::int32_t field = scope.cells.field(container, index.view());
    if (field < 0) return Outcome::unsupported;
    return scope.cells.read(static_cast<std::size_t>(field), container.payload.integer, out);
  }
  if (index.kind != Kind::integer && index.kind != Kind::boolean) {
    // An attribute of a str or list by computed name.
    return index.is_text() ? Outcome::unsupported : Outcome::ok;
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
