#include <algorithm>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/call_families.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/html.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/json.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory::filters {

namespace {

// The pieces of an iterable as str; `markup` escapes what is not markup. Strings give their characters, those
// of markup as plain str.
Outcome pieces_of(const Scope& scope, const Value& value, bool markup, std::string_view*& pieces,
                  std::uint32_t& count) {
  pieces = reinterpret_cast<std::string_view*>(scope.arena.allocate(value.length * sizeof(std::string_view)));
  count = 0;
  if (value.is_text()) {
    std::string_view rest = value.view();
    while (!rest.empty()) {
      std::string_view piece = rest.substr(0, decode_code_point(rest).bytes);
      rest.remove_prefix(piece.size());
      if (markup) {
        if (const Outcome o = labfactory::escape(scope, piece, piece); o != Outcome::ok) return o;
      }
      pieces[count++] = piece;
    }
    return Outcome::ok;
  }
  for (std::uint32_t i = 0; i < value.length; ++i) {
    Value piece;
    if (const Outcome o = item(scope, value, i, piece); o != Outcome::ok) return o;
    std::string_view text;
    if (const Outcome o = text_of(scope, piece, text); o != Outcome::ok) return o;
    if (markup && piece.kind != Kind::markup) {
      if (const Outcome o = labfactory::escape(scope, text, text); o != Outcome::ok) return o;
    }
    pieces[count++] = text;
  }
  return Outcome::ok;
}

// markupsafe.escape of a value, as text.
Outcome escaped(const Scope& scope, const Value& value, std::string_view& text) {
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  return value.kind == Kind::markup ? Outcome::ok : labfactory::escape(scope, text, text);
}

Outcome quoted(const Scope& scope, const Value& value, bool for_query, std::string_view& text) {
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  if (text.size() > scope.most_bytes / 3) return Outcome::asset_too_large;
  charge_text(scope, text);
  text = quote_url(text, for_query, scope.arena);
  return Outcome::ok;
}

// `key, value = entry` of a query.
Outcome unpack_pair(const Scope& scope, const Value& entry, Value& key, Value& value) {
  Value pair;
  if (const Outcome o = iterate(scope, entry, pair); o != Outcome::ok) return o;
  if (pair.length != 2) return Outcome::value_error;
  if (const Outcome o = item(scope, pair, 0, key); o != Outcome::ok) return o;
  return item(scope, pair, 1, value);
}

Outcome query(const Scope& scope, const Value& value, std::string_view& out) {
  const bool is_dict = is_mapping(value);
  Value entries;
  if (const Outcome o = is_dict ? entries_of(scope, value, entries) : iterate(scope, value, entries);
      o != Outcome::ok) {
    return o;
  }
  ArenaText text(scope.arena, scope.most_bytes);
  const std::uint32_t step = is_dict ? 2 : 1;
  for (std::uint32_t i = 0; i < entries.length; i += step) {
    scope.arena.charge(1);
    Value first;
    Value key;
    Value entry;
    if (const Outcome o = item(scope, entries, i, first); o != Outcome::ok) return o;
    if (is_dict) {
      key = first;
      entry = entries.payload.items[i + 1];
    } else if (const Outcome o = unpack_pair(scope, first, key, entry); o != Outcome::ok) {
      return o;
    }
    std::string_view name;
    std::string_view shown;
    if (const Outcome o = quoted(scope, key, true, name); o != Outcome::ok) return o;
    if (const Outcome o = quoted(scope, entry, true, shown); o != Outcome::ok) return o;
    const bool fits =
        (i == 0 || text.append("&")) && text.append(name) && text.append("=") && text.append(shown);
    if (!fits) return Outcome::asset_too_large;
  }
  out = text.text();
  return Outcome::ok;
}

}  // namespace

Outcome escape(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  if (a[0].kind != Kind::markup) {
    if (const Outcome o = labfactory::escape(scope, text, text); o != Outcome::ok) return o;
  }
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome safe(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome forceescape(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  if (const Outcome o = labfactory::escape(scope, text, text); o != Outcome::ok) return o;
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome join(const Scope& scope, const Value* a, Value& out) {
  const bool autoescape = a[2].payload.integer != 0;
  Value value = a[0];
  if (!value.is_text()) {
    if (const Outcome o = iterate(scope, a[0], value); o != Outcome::ok) return o;
  }
  bool markup = autoescape && a[1].kind == Kind::markup;
  if (autoescape && !is_html(scope, a[1]) && (value.kind == Kind::list || value.kind == Kind::tuple)) {
    for (std::uint32_t i = 0; i < value.length; ++i)
      markup = markup || is_html(scope, value.payload.items[i]);
  }
  std::string_view separator;
  if (const Outcome o = text_of(scope, a[1], separator); o != Outcome::ok) return o;
  if (markup && a[1].kind != Kind::markup) {
    if (const Outcome o = labfactory::escape(scope, separator, separator); o != Outcome::ok) return o;
  }
  if (value.length > scope.most_bytes / sizeof(std::string_view)) return Outcome::asset_too_large;
  std::string_view* pieces = nullptr;
  std::uint32_t count = 0;
  if (const Outcome o = pieces_of(scope, value, markup, pieces, count); o != Outcome::ok) return o;
  const auto joined = join_text({pieces, count}, separator, scope.arena, scope.most_bytes);
  if (!joined) return Outcome::asset_too_large;
  out = Value::text(*joined, markup);
  return Outcome::ok;
}

Outcome replace(const Scope& scope, const Value* a, Value& out) {
  const bool autoescape = a[4].payload.integer != 0;
  std::string_view text;
  std::string_view from;
  std::string_view to;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  bool markup = autoescape && a[0].kind == Kind::markup;
  if (autoescape && !markup && (is_html(scope, a[1]) || (is_html(scope, a[2]) && !is_html(scope, a[0])))) {
    if (const Outcome o = labfactory::escape(scope, text, text); o != Outcome::ok) return o;
    markup = true;
  }
  if (const Outcome o = text_of(scope, a[1], from); o != Outcome::ok) return o;
  if (const Outcome o = text_of(scope, a[2], to); o != Outcome::ok) return o;
  if (markup && a[2].kind != Kind::markup) {
    if (const Outcome o = labfactory::escape(scope, to, to); o != Outcome::ok) return o;
  }
  std::int64_t count = -1;
  if (a[3].kind != Kind::none) {
    if (a[3].kind != Kind::integer && a[3].kind != Kind::boolean) return Outcome::type_error;
    count = a[3].payload.integer;
  }
  charge_text(scope, text);
  const auto replaced = replace_text(text, from, to, count, scope.arena, scope.most_bytes);
  if (!replaced) return Outcome::asset_too_large;
  out = Value::text(*replaced, markup);
  return Outcome::ok;
}

Outcome striptags(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  if (text.size() > scope.most_bytes) return Outcome::asset_too_large;
  charge_text(scope, text);
  out = Value::text(strip_tags(text, scope.arena));
  return Outcome::ok;
}

Outcome tojson(const Scope& scope, const Value* a, Value& out) {
  std::optional<std::string_view> indent;
  if (a[1].is_text()) {
    indent = a[1].view();
  } else if (a[1].kind == Kind::integer || a[1].kind == Kind::boolean) {
    ArenaText blanks(scope.arena, scope.most_bytes);
    const auto width = static_cast<std::size_t>(std::max<std::int64_t>(a[1].payload.integer, 0));
    if (!blanks.append(width, " ")) return Outcome::asset_too_large;
    indent = blanks.text();
  } else if (a[1].kind != Kind::none) {
    return a[1].kind == Kind::undefined ? Outcome::undefined : Outcome::type_error;
  }
  std::string_view text;
  if (const Outcome o = to_json(scope, a[0], indent, text); o != Outcome::ok) return o;
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome urlencode(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  const bool is_query = is_iterable(a[0]) && !a[0].is_text();
  const Outcome outcome = is_query ? query(scope, a[0], text) : quoted(scope, a[0], false, text);
  out = Value::text(text);
  return outcome;
}

Outcome xmlattr(const Scope& scope, const Value* a, Value& out) {
  if (!is_mapping(a[0])) return a[0].kind == Kind::undefined ? Outcome::undefined : Outcome::attribute_error;
  Value entries;
  if (const Outcome o = entries_of(scope, a[0], entries); o != Outcome::ok) return o;
  ArenaText text(scope.arena, scope.most_bytes);
  bool spaced = false;
  for (std::uint32_t i = 0; i < entries.length; i += 2) {
    scope.arena.charge(1);
    const Value& key = entries.payload.items[i];
    const Value& value = entries.payload.items[i + 1];
    if (value.kind == Kind::none || value.kind == Kind::undefined) continue;
    if (!key.is_text()) return Outcome::type_error;
    // What would end a name, and let a key write attributes of its own.
    if (key.view().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) return Outcome::value_error;
    std::string_view name;
    std::string_view shown;
    if (const Outcome o = escaped(scope, key, name); o != Outcome::ok) return o;
    if (const Outcome o = escaped(scope, value, shown); o != Outcome::ok) return o;
    const bool fits = text.append(" ") && text.append(name) && text.append("=\"") && text.append(shown) &&
                      text.append("\"");
    if (!fits) return Outcome::asset_too_large;
  }
  // Only what is not empty gets the space in front.
  if (const Outcome o = truth(scope, a[1], spaced); o != Outcome::ok) return o;
  const std::string_view all = text.text();
  out = Value::text(spaced || all.empty() ? all : all.substr(1), a[2].payload.integer != 0);
  return Outcome::ok;
}

}  // namespace labfactory::filters
