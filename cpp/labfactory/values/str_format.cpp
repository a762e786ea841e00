#include "labfactory/values/str_format.hpp"

#include <algorithm>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/format_spec.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/repr.hpp"
#include "labfactory/values/temporal.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// A replacement field, as it stands between its braces.
struct Field {
  std::string_view name;
  char conversion = '\0';
  std::string_view spec;
};

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Where the field that begins behind an opening brace ends; npos where it does not.
std::size_t field_end(std::string_view text) {
  int depth = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

Outcome split_field(std::string_view text, Field& out) {
  std::size_t at = 0;
  bool bracketed = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '{') return Outcome::value_error;
    if (text[at] == '[') bracketed = true;
    if (text[at] == ']') bracketed = false;
    if (!bracketed && (text[at] == ':' || text[at] == '!')) break;
  }
  out.name = text.substr(0, at);
  text.remove_prefix(at);
  if (text.starts_with('!')) {
    if (text.size() < 2) return Outcome::value_error;
    const std::size_t bytes = decode_code_point(text.substr(1)).bytes;
    out.conversion = bytes == 1 ? text[1] : '?';
    text.remove_prefix(1 + bytes);
    if (!text.empty() && text.front() != ':') return Outcome::value_error;
  }
  if (!text.empty()) out.spec = text.substr(1);
  return Outcome::ok;
}

class Formatter {
 public:
  Formatter(const Scope& scope, bool markup, const FormatArguments& arguments)
      : scope_(scope), markup_(markup), arguments_(arguments) {}

  Outcome run(std::string_view text, ArenaText& out, int depth) {
    if (depth < 0) return Outcome::value_error;
    charge_text(scope_, text);
    while (!text.empty()) {
      const std::size_t at = std::min(text.find_first_of("{}"), text.size());
      if (!out.append(text.substr(0, at))) return Outcome::asset_too_large;
      text.remove_prefix(at);
      if (text.empty()) break;
      if (text.size() > 1 && text[0] == text[1]) {
        if (!out.append(text.substr(0, 1))) return Outcome::asset_too_large;
        text.remove_prefix(2);
        continue;
      }
      if (text.front() == '}') return Outcome::value_error;
      text.remove_prefix(1);
      const std::size_t end = field_end(text);
      if (end == std::string_view::npos) return Outcome::value_error;
      if (const Outcome o = field(text.substr(0, end), out, depth); o != Outcome::ok) return o;
      text.remove_prefix(end + 1);
    }
    return Outcome::ok;
  }

 private:
  Outcome field(std::string_view text, ArenaText& out, int depth) {
    Field field;
    if (const Outcome o = split_field(text, field); o != Outcome::ok) return o;
    Value value;
    if (const Outcome o = look_up(field.name, value); o != Outcome::ok) return o;
    if (const Outcome o = convert(field.conversion, value); o != Outcome::ok) return o;
    std::string_view spec = field.spec;
    if (spec.find('{') != std::string_view::npos || spec.find('}') != std::string_view::npos) {
      ArenaText expanded(scope_.arena, scope_.most_bytes);
      if (const Outcome o = run(spec, expanded, depth - 1); o != Outcome::ok) return o;
      spec = expanded.text();
    }
    return markup_ && depth == kDepth ? escaped(value, spec, out) : format_value(scope_, value, spec, out);
  }

  Outcome escaped(const Value& value, std::string_view spec, ArenaText& out) {
    if (is_html(scope_, value)) {
      if (!spec.empty()) return Outcome::value_error;
      if (value.kind != Kind::markup) return Outcome::ok;
      return out.append(value.view()) ? Outcome::ok : Outcome::asset_too_large;
    }
    ArenaText plain(scope_.arena, scope_.most_bytes);
    if (const Outcome o = format_value(scope_, value, spec, plain); o != Outcome::ok) return o;
    std::string_view safe;
    if (const Outcome o = escape(scope_, plain.text(), safe); o != Outcome::ok) return o;
    return out.append(safe) ? Outcome::ok : Outcome::asset_too_large;
  }

  Outcome look_up(std::string_view name, Value& out) {
    const std::size_t first = std::min(name.find_first_of(".["), name.size());
    if (const Outcome o = argument(name.substr(0, first), out); o != Outcome::ok) return o;
    name.remove_prefix(first);
    while (!name.empty()) {
      const Value container = out;
      if (name.front() == '.') {
        name.remove_prefix(1);
        const std::size_t end = std::min(name.find_first_of(".["), name.size());
        if (end == 0) return Outcome::value_error;
        // Those of other values are Python's own, methods and all.
        if (!is_temporal(container) && container.kind != Kind::undefined) return Outcome::unsupported;
        if (const Outcome o = attribute(scope_, container, Value::text(name.substr(0, end)), out);
            o != Outcome::ok) {
          return o;
        }
        name.remove_prefix(end);
        continue;
      }
      if (name.front() != '[') return Outcome::value_error;
      const std::size_t end = name.find(']');
      if (end == std::string_view::npos || end == 1) return Outcome::value_error;
      if (const Outcome o = subscripted(container, name.substr(1, end - 1), out); o != Outcome::ok) return o;
      name.remove_prefix(end + 1);
    }
    return Outcome::ok;
  }

  Outcome argument(std::string_view name, Value& out) {
    const std::size_t unnamed = arguments_.values.size() - arguments_.names.size();
    std::size_t index = 0;
    if (name.empty() || is_number(name)) {
      const bool automatic = name.empty();
      if (numbering_ != '\0' && (numbering_ == 'a') != automatic) return Outcome::value_error;
      numbering_ = automatic ? 'a' : 'm';
      if (automatic) {
        index = next_++;
      } else {
        for (const char c : name) {
          index = std::min<std::size_t>(index * 10 + static_cast<std::size_t>(c - '0'), unnamed);
        }
      }
      if (index >= unnamed) return Outcome::index_error;
      out = arguments_.values[index];
      return Outcome::ok;
    }
    for (std::size_t i = 0; i < arguments_.names.size(); ++i) {
      if (arguments_.names[i].view() != name) continue;
      out = arguments_.values[unnamed + i];
      return Outcome::ok;
    }
    return Outcome::key_error;
  }

  Outcome subscripted(const Value& container, std::string_view key, Value& out) {
    if (container.kind == Kind::undefined) {
      out = container;
      return chains(scope_, container) ? Outcome::ok : Outcome::undefined;
    }
    if (is_dict(container)) return of_dict(container, key, out);
    if (!is_iterable(container)) return Outcome::type_error;
    if (!is_number(key)) return Outcome::type_error;
    std::int64_t index = 0;
    for (const char c : key) index = std::min<std::int64_t>(index * 10 + (c - '0'), container.length);
    if (index >= container.length) return Outcome::index_error;
    if (const Outcome o = subscript(scope_, container, Value::integer(index), out); o != Outcome::ok)
      return o;
    return out.kind == Kind::undefined && container.is_text() ? Outcome::index_error : Outcome::ok;
  }

  // What is written in digits alone is a number.
  Outcome of_dict(const Value& dict, std::string_view key, Value& out) {
    Value name = Value::text(key);
    if (is_number(key)) {
      std::int64_t number = 0;
      for (const char c : key) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, c - '0', &number)) {
          return Outcome::value_error;
        }
      }
      name = Value::integer(number);
    }
    bool found = false;
    const Outcome outcome = ::labfactory::look_up(scope_, dict, name, out, found);
    return outcome == Outcome::ok && !found ? Outcome::key_error : outcome;
  }

  Outcome convert(char conversion, Value& value) {
    if (conversion == '\0') return Outcome::ok;
    if (conversion == 'a') return Outcome::unsupported;
    if (conversion != 's' && conversion != 'r') return Outcome::value_error;
    std::string_view text;
    const Outcome outcome = conversion == 's' ? text_of(scope_, value, text) : repr(scope_, value, text);
    if (outcome != Outcome::ok) return outcome;
    value = Value::text(text);
    return Outcome::ok;
  }

 public:
  // A field's specification may hold fields, and those none.
  static constexpr int kDepth = 1;

 private:
  const Scope& scope_;
  bool markup_;
  FormatArguments arguments_;
  std::size_t next_ = 0;
  char numbering_ = '\0';
};

}  // namespace

Outcome format_template(const Scope& scope, const Value& text, const FormatArguments& arguments, Value& out) {
  const bool markup = text.kind == Kind::markup;
  ArenaText made(scope.arena, scope.most_bytes);
  Formatter formatter(scope, markup, arguments);
  if (const Outcome o = formatter.run(text.view(), made, Formatter::kDepth); o != Outcome::ok) return o;
  out = Value::text(made.text(), markup);
  return Outcome::ok;
}

}  // namespace labfactory
