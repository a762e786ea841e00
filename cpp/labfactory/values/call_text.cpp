#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/call_families.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/dict.hpp"
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

// Whether `count >= least`, else what the assertion or the comparison raises.
Outcome at_least(const Value& count, double least) {
  if (count.kind == Kind::undefined) return Outcome::undefined;
  if (!is_whole(count) && count.kind != Kind::floating) return Outcome::type_error;
  return number_of(count) >= least ? Outcome::ok : Outcome::value_error;
}

// len(value) > length + leeway, of which either may be a float.
Outcome is_longer_than(const Scope& scope, const Value& value, const Value& most, const Value& leeway,
                       bool& out) {
  const bool is_counted = is_whole(most) && is_whole(leeway);
  if (value.is_text() && is_counted) {
    charge_text(scope, value.view());
    out = is_truncated(value.view(), most.payload.integer, leeway.payload.integer);
    return Outcome::ok;
  }
  std::int64_t size = 0;
  if (const Outcome o = length(scope, value, size); o != Outcome::ok) return o;
  // Neither is negative.
  out = is_counted ? size - most.payload.integer > leeway.payload.integer
                   : !(static_cast<double>(size) <= number_of(most) + number_of(leeway));
  return Outcome::ok;
}

Outcome kept(const std::optional<std::string_view>& text, bool markup, Value& out) {
  if (!text) return Outcome::asset_too_large;
  out = Value::text(*text, markup);
  return Outcome::ok;
}

// A text that is longer, down to a whole word, and an end: markup where either is, the other escaped.
Outcome cut(const Scope& scope, const Value& value, std::int64_t most, bool kill_words, const Value& end,
            Value& out) {
  const bool is_markup = value.kind == Kind::markup;
  // Markup + an undefined value that has __html__ is that markup.
  const bool is_bare = end.kind == Kind::undefined && is_markup && chains(scope, end);
  if (end.kind == Kind::undefined && !is_bare) return Outcome::undefined;
  if (!end.is_text() && !is_bare) return Outcome::type_error;
  if (is_markup || end.kind != Kind::markup) {
    const std::string_view rest = is_bare ? std::string_view{} : end.view();
    const auto made = truncate_text(value.view(), most, kill_words, rest, 0,
                                    is_markup && end.kind != Kind::markup, scope.arena);
    return kept(made, is_markup, out);
  }
  const auto plain = truncate_text(value.view(), most - count_code_points(end.view()), kill_words, {}, 0,
                                   false, scope.arena);
  std::string_view safe;
  if (const Outcome o = escape(scope, plain.value_or(std::string_view{}), safe); o != Outcome::ok) return o;
  ArenaText made(scope.arena, scope.most_bytes);
  if (!made.append(safe) || !made.append(end.view())) return Outcome::asset_too_large;
  out = Value::text(made.text(), true);
  return Outcome::ok;
}

// `text|indent` by markup: Jinja2 puts it before plain lines, each of which is escaped as it is joined to it,
// but for the first.
Outcome indent_by_markup(const Scope& scope, std::string_view text, std::string_view indention, bool first,
                         bool blank, Value& out) {
  const auto joined = [&](std::string_view lines, std::string_view by, bool first_too, bool blank_too,
                          std::string_view& made) {
    const auto found = indented(lines, by, first_too, blank_too, scope.arena, scope.most_bytes);
    made = found.value_or(std::string_view{});
    return found ? Outcome::ok : Outcome::asset_too_large;
  };
  std::string_view made;
  if (blank) {
    if (const Outcome o = escape(scope, text, made); o != Outcome::ok) return o;
    if (const Outcome o = joined(made, indention, first, true, made); o != Outcome::ok) return o;
    out = Value::text(made, true);
    return Outcome::ok;
  }
  if (const Outcome o = joined(text, {}, false, false, made); o != Outcome::ok) return o;
  const std::string_view head = made.substr(0, made.find('\n'));
  std::string_view rest;
  if (const Outcome o = escape(scope, made.substr(head.size()), rest); o != Outcome::ok) return o;
  if (const Outcome o = joined(rest, indention, false, false, rest); o != Outcome::ok) return o;
  ArenaText plain(scope.arena, scope.most_bytes);
  if (!plain.append(head) || !plain.append(rest)) return Outcome::asset_too_large;
  out = Value::text(plain.text());
  if (!first) return Outcome::ok;
  if (const Outcome o = escape(scope, plain.text(), made); o != Outcome::ok) return o;
  ArenaText escaped(scope.arena, scope.most_bytes);
  if (!escaped.append(indention) || !escaped.append(made)) return Outcome::asset_too_large;
  out = Value::text(escaped.text(), true);
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
  std::int64_t end_length = 0;
  if (const Outcome o = length(scope, a[3], end_length); o != Outcome::ok) return o;
  if (const Outcome o = at_least(a[1], static_cast<double>(end_length)); o != Outcome::ok) return o;
  if (const Outcome o = at_least(leeway, 0); o != Outcome::ok) return o;
  const Value& value = a[0];
  bool is_longer = false;
  if (const Outcome o = is_longer_than(scope, value, a[1], leeway, is_longer); o != Outcome::ok) return o;
  if (!is_longer) {
    out = value;
    return Outcome::ok;
  }
  bool kill_words = false;
  if (const Outcome o = truth(scope, a[2], kill_words); o != Outcome::ok) return o;
  // Whatever is cut is cut at whole numbers alone, and nothing else than text is put together with one.
  if (!value.is_text()) {
    const bool has_slices = is_whole(a[1]) && !is_dict(value);
    return !has_slices || (kill_words && a[3].is_text()) ? Outcome::type_error
           : kill_words                                  ? Outcome::unsupported
                                                         : Outcome::attribute_error;
  }
  if (!is_whole(a[1])) return Outcome::type_error;
  return cut(scope, value, a[1].payload.integer, kill_words, a[3], out);
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
  bool blank = false;
  bool first = false;
  if (const Outcome o = truth(scope, a[3], blank); o != Outcome::ok) return o;
  if (const Outcome o = truth(scope, a[2], first); o != Outcome::ok) return o;
  charge_text(scope, a[0].view());
  if (!markup && a[1].kind == Kind::markup) {
    return indent_by_markup(scope, a[0].view(), indention, first, blank, out);
  }
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
