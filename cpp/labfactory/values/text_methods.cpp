#include "labfactory/values/text_methods.hpp"

#include <algorithm>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/html.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/lines.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

bool is_whole(const Value& v) {
  return v.kind == Kind::integer || v.kind == Kind::boolean;
}

// A method of one text and its arguments; what it gives is markup where the text is.
class TextMethod {
 public:
  TextMethod(const Scope& scope, const Value* a)
      : scope_(scope), a_(a), text_(a[0].view()), markup_(a[0].kind == Kind::markup) {}

  Outcome call(Method method, Value& out) {
    if (text_.size() > scope_.most_bytes) return Outcome::asset_too_large;
    charge_text(scope_, text_);
    switch (method) {
      case Method::capitalize:
        return text(capitalize_text(text_, scope_.arena), out);
      case Method::casefold:
        return text(casefold_text(text_, scope_.arena), out);
      case Method::lower:
        return text(lower_text(text_, scope_.arena), out);
      case Method::swapcase:
        return text(swapcase_text(text_, scope_.arena), out);
      case Method::title:
        return text(title_words(text_, scope_.arena), out);
      case Method::upper:
        return text(upper_text(text_, scope_.arena), out);
      case Method::center:
        return align(Alignment::center, out);
      case Method::ljust:
        return align(Alignment::left, out);
      case Method::rjust:
        return align(Alignment::right, out);
      case Method::zfill:
        if (!is_whole(a_[1])) return Outcome::type_error;
        return made(zero_filled(text_, a_[1].payload.integer, scope_.arena, scope_.most_bytes), out);
      case Method::strip:
      case Method::lstrip:
      case Method::rstrip:
        return strip(method, out);
      case Method::removeprefix:
      case Method::removesuffix:
        return remove(method == Method::removeprefix, out);
      case Method::replace:
        return replace(out);
      case Method::join:
        return join(out);
      case Method::split:
      case Method::rsplit:
        return split(method == Method::rsplit, out);
      case Method::splitlines:
        return splitlines(out);
      case Method::partition:
      case Method::rpartition:
        return partition(method == Method::rpartition, out);
      case Method::startswith:
      case Method::endswith:
        return affix(method == Method::startswith, out);
      case Method::count:
      case Method::find:
      case Method::index:
      case Method::rfind:
      case Method::rindex:
        return search(method, out);
      case Method::striptags:
      case Method::unescape:
        // Of Markup alone.
        if (!markup_) return Outcome::undefined;
        out = Value::text(method == Method::striptags ? strip_tags(text_, scope_.arena)
                                                      : unescape_html(text_, scope_.arena));
        return Outcome::ok;
      default:
        return character_class(method, out);
    }
  }

 private:
  Outcome text(std::string_view found, Value& out) const {
    out = Value::text(found, markup_);
    return Outcome::ok;
  }
  Outcome made(const std::optional<std::string_view>& found, Value& out) const {
    return found ? text(*found, out) : Outcome::asset_too_large;
  }
  Outcome list(Pieces pieces, Value& out, Kind kind = Kind::list) const {
    Value* items = nullptr;
    if (const Outcome o = allocate_items(scope_, pieces.size(), items); o != Outcome::ok) return o;
    for (std::size_t i = 0; i < pieces.size(); ++i) items[i] = Value::text(pieces[i], markup_);
    out = Value::list(items, static_cast<std::uint32_t>(pieces.size()), kind);
    return Outcome::ok;
  }

  // An argument of Markup's own methods, which escape it.
  Outcome escaped(const Value& value, std::string_view& found) const {
    if (!markup_) {
      if (!value.is_text()) return Outcome::type_error;
      found = value.view();
      return Outcome::ok;
    }
    if (const Outcome o = text_of(scope_, value, found); o != Outcome::ok) return o;
    return value.kind == Kind::markup ? Outcome::ok : escape(scope_, found, found);
  }

  Outcome align(Alignment alignment, Value& out) const {
    std::string_view fill;
    if (const Outcome o = escaped(a_[2], fill); o != Outcome::ok) return o;
    if (!is_whole(a_[1]) || count_code_points(fill) != 1) return Outcome::type_error;
    return made(aligned(text_, alignment, a_[1].payload.integer, fill, scope_.arena, scope_.most_bytes), out);
  }

  Outcome strip(Method method, Value& out) const {
    if (a_[1].kind == Kind::none) {
      return text(method == Method::strip    ? strip_text(text_)
                  : method == Method::lstrip ? strip_start(text_)
                                             : strip_end(text_),
                  out);
    }
    if (!a_[1].is_text()) return Outcome::type_error;
    const std::string_view characters = a_[1].view();
    return text(method == Method::strip    ? strip_text(text_, characters)
                : method == Method::lstrip ? strip_start(text_, characters)
                                           : strip_end(text_, characters),
                out);
  }

  Outcome remove(bool front, Value& out) const {
    if (!a_[1].is_text()) return Outcome::type_error;
    const std::string_view part = a_[1].view();
    std::string_view kept = text_;
    if (front && kept.starts_with(part)) kept.remove_prefix(part.size());
    if (!front && kept.ends_with(part)) kept.remove_suffix(part.size());
    return text(kept, out);
  }

  Outcome replace(Value& out) const {
    std::string_view to;
    if (const Outcome o = escaped(a_[2], to); o != Outcome::ok) return o;
    if (!a_[1].is_text() || !is_whole(a_[3])) return Outcome::type_error;
    const std::int64_t count = a_[3].payload.integer;
    return made(replace_text(text_, a_[1].view(), to, count, scope_.arena, scope_.most_bytes), out);
  }

  Outcome join(Value& out) const {
    Value items;
    if (const Outcome o = iterate(scope_, a_[1], items); o != Outcome::ok) return o;
    ArenaText joined(scope_.arena, scope_.most_bytes);
    for (std::uint32_t i = 0; i < items.length; ++i) {
      scope_.arena.charge(1);
      Value entry;
      std::string_view piece;
      if (const Outcome o = item(scope_, items, i, entry); o != Outcome::ok) return o;
      if (const Outcome o = escaped(entry, piece); o != Outcome::ok) return o;
      if ((i != 0 && !joined.append(text_)) || !joined.append(piece)) return Outcome::asset_too_large;
    }
    return text(joined.text(), out);
  }

  Outcome split(bool from_end, Value& out) const {
    if (!is_whole(a_[2])) return Outcome::type_error;
    const std::int64_t most = a_[2].payload.integer;
    if (a_[1].kind == Kind::none) return list(split_words(text_, most, from_end, scope_.arena), out);
    if (!a_[1].is_text()) return Outcome::type_error;
    if (a_[1].length == 0) return Outcome::value_error;
    return list(split_fields(text_, a_[1].view(), most, from_end, scope_.arena), out);
  }

  Outcome splitlines(Value& out) const {
    bool keep_ends = false;
    if (const Outcome o = truth(scope_, a_[1], keep_ends); o != Outcome::ok) return o;
    return list(split_lines(text_, keep_ends, scope_.arena), out);
  }

  Outcome partition(bool from_end, Value& out) const {
    if (!a_[1].is_text()) return Outcome::type_error;
    const std::string_view separator = a_[1].view();
    if (separator.empty()) return Outcome::value_error;
    const std::size_t at =
        from_end ? find_last_text(text_, separator, scope_.arena) : find_text(text_, separator);
    std::string_view parts[3];
    if (at != std::string_view::npos) {
      parts[0] = text_.substr(0, at);
      parts[1] = separator;
      parts[2] = text_.substr(at + separator.size());
    } else {
      parts[from_end ? 2 : 0] = text_;
    }
    return list(parts, out, Kind::tuple);
  }

  // The part of the text that start and end cut out, and where it begins in characters; false where it
  // begins behind the text.
  Outcome cut(std::string_view& part, std::int64_t& first, bool& is_within) const {
    const std::int64_t length = count_code_points(text_);
    std::int64_t last = length;
    first = 0;
    if (const Outcome o = slice_bounds(a_[2], a_[3], first, last); o != Outcome::ok) return o;
    is_within = first <= length && first <= last;
    part = is_within ? slice_text(text_, first, last) : std::string_view{};
    return Outcome::ok;
  }

  Outcome affix(bool front, Value& out) const {
    std::string_view part;
    std::int64_t first = 0;
    bool is_within = false;
    if (const Outcome o = cut(part, first, is_within); o != Outcome::ok) return o;
    const auto holds = [&](std::string_view affix) {
      return is_within && (front ? part.starts_with(affix) : part.ends_with(affix));
    };
    bool found = false;
    if (a_[1].kind == Kind::tuple) {
      for (std::uint32_t i = 0; !found && i < a_[1].length; ++i) {
        const Value& entry = a_[1].payload.items[i];
        if (!entry.is_text()) return Outcome::type_error;
        found = holds(entry.view());
      }
    } else {
      if (!a_[1].is_text()) return Outcome::type_error;
      found = holds(a_[1].view());
    }
    out = Value::boolean(found);
    return Outcome::ok;
  }

  Outcome search(Method method, Value& out) const {
    if (!a_[1].is_text()) return Outcome::type_error;
    const std::string_view wanted = a_[1].view();
    std::string_view part;
    std::int64_t first = 0;
    bool is_within = false;
    if (const Outcome o = cut(part, first, is_within); o != Outcome::ok) return o;
    if (method == Method::count) {
      out = Value::integer(is_within ? occurrences(part, wanted) : 0);
      return Outcome::ok;
    }
    const bool from_end = method == Method::rfind || method == Method::rindex;
    const std::size_t at = !is_within ? std::string_view::npos
                           : from_end ? find_last_text(part, wanted, scope_.arena)
                                      : find_text(part, wanted);
    if (at != std::string_view::npos) {
      out = Value::integer(first + count_code_points(part.substr(0, at)));
      return Outcome::ok;
    }
    out = Value::integer(-1);
    const bool raises = method == Method::index || method == Method::rindex;
    return raises ? Outcome::value_error : Outcome::ok;
  }

  static std::int64_t occurrences(std::string_view part, std::string_view wanted) {
    if (wanted.empty()) return count_code_points(part) + 1;
    std::int64_t count = 0;
    for (std::size_t at = find_text(part, wanted); at != std::string_view::npos; ++count) {
      at = find_text(part, wanted, at + wanted.size());
    }
    return count;
  }

  Outcome character_class(Method method, Value& out) const {
    const auto found = [&](bool holds) {
      out = Value::boolean(holds);
      return Outcome::ok;
    };
    switch (method) {
      case Method::isalnum:
        return found(is_all(CharacterClass::alphanumeric, text_));
      case Method::isalpha:
        return found(is_all(CharacterClass::alphabetic, text_));
      case Method::isascii:
        return found(is_all(CharacterClass::ascii, text_));
      case Method::isdecimal:
        return found(is_all(CharacterClass::decimal, text_));
      case Method::isdigit:
        return found(is_all(CharacterClass::digit, text_));
      case Method::isnumeric:
        return found(is_all(CharacterClass::numeric, text_));
      case Method::isspace:
        return found(is_all(CharacterClass::space, text_));
      case Method::islower:
        return found(is_cased_as(false, text_));
      case Method::isupper:
        return found(is_cased_as(true, text_));
      case Method::istitle:
        return found(is_titled(text_));
      default:
        return Outcome::undefined;
    }
  }

  const Scope& scope_;
  const Value* a_;
  std::string_view text_;
  bool markup_;
};

}  // namespace

Outcome call_text_method(const Scope& scope, Method method, const Value* a, Value& out) {
  return TextMethod(scope, a).call(method, out);
}

}  // namespace labfactory
