#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/call_families.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/lines.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory::filters {

namespace {

using TextFunction = std::string_view (*)(std::string_view, Arena&);

// soft_str(value).method(): markup stays markup.
Outcome with_case(const Scope& scope, TextFunction function, const Value& value, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  if (text.size() > scope.most_bytes) return Outcome::asset_too_large;
  out = Value::text(function(text, scope.arena), value.kind == Kind::markup);
  return Outcome::ok;
}

// Jinja2's policy `truncate.leeway`.
constexpr std::int64_t kTruncateLeeway = 5;

bool is_whole(const Value& v) {
  return v.kind == Kind::integer || v.kind == Kind::boolean;
}

double number_of(const Value& v) {
  return is_whole(v) ? static_cast<double>(v.payload.integer) : v.payload.floating;
}

// len(text) > length + leeway, of which either may be a float.
bool is_longer_than(std::string_view text, const Value& length, const Value& leeway) {
  if (is_whole(length) && is_whole(leeway)) {
    return is_truncated(text, length.payload.integer, leeway.payload.integer);
  }
  return !(static_cast<double>(count_code_points(text)) <= number_of(length) + number_of(leeway));
}

Outcome kept(const std::optional<std::string_view>& text, bool markup, Value& out) {
  if (!text) return Outcome::asset_too_large;
  out = Value::text(*text, markup);
  return Outcome::ok;
}

// Where a method of str is asked of what has none.
Outcome no_method(const Value& value) {
  return value.kind == Kind::undefined ? Outcome::undefined : Outcome::attribute_error;
}

}  // namespace

Outcome upper(const Scope& scope, const Value* a, Value& out) {
  return with_case(scope, upper_text, a[0], out);
}

Outcome lower(const Scope& scope, const Value* a, Value& out) {
  return with_case(scope, lower_text, a[0], out);
}

Outcome capitalize(const Scope& scope, const Value* a, Value& out) {
  return with_case(scope, capitalize_text, a[0], out);
}

Outcome title(const Scope& scope, const Value* a, Value& out) {
  if (const Outcome o = with_case(scope, title_text, a[0], out); o != Outcome::ok) return o;
  // The words pass through re.split, which gives plain str.
  out.kind = Kind::text;
  return Outcome::ok;
}

Outcome trim(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  charge_text(scope, text);
  if (a[1].kind == Kind::none) {
    out = Value::text(strip_text(text), a[0].kind == Kind::markup);
    return Outcome::ok;
  }
  if (!a[1].is_text()) return Outcome::type_error;
  out = Value::text(strip_text(text, a[1].view()), a[0].kind == Kind::markup);
  return Outcome::ok;
}

Outcome truncate(const Scope& scope, const Value* a, Value& out) {
  const Value leeway = a[4].kind == Kind::none ? Value::integer(kTruncateLeeway) : a[4];
  if (!a[3].is_text()) return Outcome::type_error;
  for (const Value& count : {a[1], leeway}) {
    if (count.kind == Kind::undefined) return Outcome::undefined;
    if (!is_whole(count) && count.kind != Kind::floating) return Outcome::type_error;
  }
  const bool is_sound =
      number_of(a[1]) >= static_cast<double>(count_code_points(a[3].view())) && number_of(leeway) >= 0;
  if (!is_sound) return Outcome::value_error;
  const Value& value = a[0];
  if (value.kind == Kind::undefined) {
    if (raises(scope, value)) return Outcome::undefined;
    // Its length is 0, so it comes back as it is.
    out = value;
    return Outcome::ok;
  }
  if (!value.is_text()) return is_iterable(value) ? Outcome::unsupported : Outcome::type_error;
  charge_text(scope, value.view());
  if (!is_longer_than(value.view(), a[1], leeway)) {
    out = value;
    return Outcome::ok;
  }
  // A text is cut at whole numbers alone.
  if (!is_whole(a[1])) return Outcome::type_error;
  bool kill_words = false;
  if (const Outcome o = truth(scope, a[2], kill_words); o != Outcome::ok) return o;
  const bool markup = value.kind == Kind::markup;
  if (!markup && a[3].kind == Kind::markup) return Outcome::unsupported;
  const auto cut = truncate_text(value.view(), a[1].payload.integer, kill_words, a[3].view(), 0,
                                 markup && a[3].kind != Kind::markup, scope.arena);
  if (!cut) return Outcome::value_error;
  out = Value::text(*cut, markup);
  return Outcome::ok;
}

Outcome string(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  out = Value::text(text, a[0].kind == Kind::markup);
  return Outcome::ok;
}

Outcome center(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  if (!is_whole(a[1])) return Outcome::type_error;
  charge_text(scope, text);
  return kept(aligned(text, Alignment::center, a[1].payload.integer, " ", scope.arena, scope.most_bytes),
              a[0].kind == Kind::markup, out);
}

Outcome indent(const Scope& scope, const Value* a, Value& out) {
  std::string_view indention;
  if (a[1].is_text()) {
    indention = a[1].view();
  } else if (a[1].kind == Kind::undefined) {
    return Outcome::undefined;
  } else if (!is_whole(a[1])) {
    return Outcome::type_error;
  } else {
    ArenaText blanks(scope.arena, scope.most_bytes);
    const auto width = static_cast<std::size_t>(std::max<std::int64_t>(a[1].payload.integer, 0));
    if (!blanks.append(width, " ")) return Outcome::asset_too_large;
    indention = blanks.text();
  }
  if (a[0].kind == Kind::undefined) return Outcome::undefined;
  if (!a[0].is_text()) {
    // list += "\n" works, and its splitlines is missed; nothing else adds a text.
    return a[0].kind == Kind::list || a[0].kind == Kind::column_list ? Outcome::attribute_error
                                                                     : Outcome::type_error;
  }
  const bool markup = a[0].kind == Kind::markup;
  // A plain text would be escaped piece by piece.
  if (!markup && a[1].kind == Kind::markup) return Outcome::unsupported;
  bool blank = false;
  bool first = false;
  if (const Outcome o = truth(scope, a[3], blank); o != Outcome::ok) return o;
  if (const Outcome o = truth(scope, a[2], first); o != Outcome::ok) return o;
  charge_text(scope, a[0].view());
  return kept(indented(a[0].view(), indention, first, blank, scope.arena, scope.most_bytes), markup, out);
}

Outcome wordcount(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  charge_text(scope, text);
  out = Value::integer(count_words(text));
  return Outcome::ok;
}

Outcome wordwrap(const Scope& scope, const Value* a, Value& out) {
  if (!a[0].is_text()) return no_method(a[0]);
  const std::string_view text = a[0].view();
  // The characters of a line take some 12 bytes each while it is wrapped.
  if (text.size() > scope.most_bytes / 12) return Outcome::asset_too_large;
  scope.arena.charge(text.size());
  if (a[3].kind != Kind::none && !a[3].is_text()) return no_method(a[3]);
  const std::string_view end = a[3].is_text() ? a[3].view() : "\n";
  const bool markup = a[3].kind == Kind::markup;
  const Pieces lines = split_lines(text, false, scope.arena);
  Wrapping wrapping;
  wrapping.width = a[1].payload.integer;
  if (!lines.empty()) {
    if (a[1].kind == Kind::undefined) return Outcome::undefined;
    if (!is_whole(a[1])) return Outcome::type_error;
    if (wrapping.width <= 0) return Outcome::value_error;
    if (const Outcome o = truth(scope, a[2], wrapping.break_long_words); o != Outcome::ok) return o;
    if (const Outcome o = truth(scope, a[4], wrapping.break_on_hyphens); o != Outcome::ok) return o;
    // textwrap asks `is True` here.
    wrapping.split_at_hyphens = a[4].kind == Kind::boolean && a[4].payload.integer != 0;
  }
  ArenaText joined(scope.arena, scope.most_bytes);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0 && !joined.append(end)) return Outcome::asset_too_large;
    const Pieces pieces = wrapped(lines[i], wrapping, scope.arena);
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      if (k != 0 && !joined.append(end)) return Outcome::asset_too_large;
      std::string_view piece = pieces[k];
      if (markup) {
        if (const Outcome o = labfactory::escape(scope, piece, piece); o != Outcome::ok) return o;
      }
      if (!joined.append(piece)) return Outcome::asset_too_large;
    }
  }
  out = Value::text(joined.text(), markup);
  return Outcome::ok;
}

}  // namespace labfactory::filters
