#include "labfactory/values/printf.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "labfactory/values/call_families.hpp"
#include "labfactory/values/decimal.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/repr.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

constexpr std::string_view kFloats = "eEfFgG";
constexpr std::string_view kCuts = "diu";
constexpr std::string_view kTexts = "sr";
constexpr std::string_view kKnown = "diuoxXeEfFgGcsr";

bool is_one_of(std::string_view letters, char letter) {
  return letters.find(letter) != std::string_view::npos;
}

Outcome fault(FormatFault found) {
  switch (found) {
    case FormatFault::type:
      return Outcome::type_error;
    case FormatFault::overflow:
      return Outcome::float_overflow;
    case FormatFault::surrogate:
      return Outcome::encoding;
    default:
      return Outcome::value_error;
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// One `text % right`.
class Formatting {
 public:
  Formatting(const Scope& scope, const Value& text, const Value& right)
      : scope_(scope),
        writer_(scope),
        is_markup_(text.kind == Kind::markup),
        rest_(text.view()),
        right_(right),
        // What has __getitem__ and is no text or tuple.
        is_mapping_((is_iterable(right) || right.kind == Kind::undefined) && !right.is_text() &&
                    right.kind != Kind::tuple) {
    if (right.kind == Kind::tuple) {
      values_ = right.payload.items;
      left_ = right.length;
    } else {
      values_ = &right_;
      left_ = 1;
    }
  }

  Outcome run(Value& out) {
    charge_text(scope_, rest_);
    while (true) {
      const std::size_t at = std::min(rest_.find('%'), rest_.size());
      if (const Outcome o = writer_.literal(rest_.substr(0, at)); o != Outcome::ok) return o;
      rest_.remove_prefix(at);
      if (rest_.empty()) break;
      rest_.remove_prefix(1);
      if (const Outcome o = conversion(); o != Outcome::ok) return o;
    }
    if (left_ > 0 && !is_mapping_) return Outcome::type_error;
    out = Value::text(writer_.text(), is_markup_);
    return Outcome::ok;
  }

 private:
  Outcome conversion() {
    if (rest_.starts_with('%')) {
      rest_.remove_prefix(1);
      return writer_.literal("%");
    }
    Conversion found;
    if (const Outcome o = name(); o != Outcome::ok) return o;
    while (!rest_.empty() && flag(found, rest_.front())) rest_.remove_prefix(1);
    std::int64_t width = 0;
    if (const Outcome o = number(width); o != Outcome::ok) return o;
    if (width < 0) {
      found.is_left = true;
      width = -width;
    }
    std::int64_t precision = -1;
    if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      precision = 0;
      if (const Outcome o = number(precision); o != Outcome::ok) return o;
      precision = std::clamp<std::int64_t>(precision, 0, std::numeric_limits<int>::max());
    }
    if (!rest_.empty() && is_one_of("hlL", rest_.front())) rest_.remove_prefix(1);
    if (rest_.empty()) return Outcome::value_error;
    found.type = rest_.front();
    rest_.remove_prefix(1);
    Value value;
    if (const Outcome o = next(value); o != Outcome::ok) return o;
    // Of what Python knows, `%a` is the one that is not covered.
    if (!is_one_of(kKnown, found.type))
      return found.type == 'a' ? Outcome::unsupported : Outcome::value_error;
    if (width > static_cast<std::int64_t>(scope_.most_bytes)) return Outcome::asset_too_large;
    if (precision > kFormatLimit && !is_one_of(kTexts, found.type)) return Outcome::unsupported;
    found.width = static_cast<int>(width);
    found.precision = static_cast<int>(precision);
    if (is_markup_) return markup_argument(found, value);
    if (found.type == 'i' || found.type == 'u') found.type = 'd';
    return writer_.argument(found, value);
  }

  // `(key)`: what the mapping has for it is the next argument, and the only one.
  Outcome name() {
    if (!rest_.starts_with('(')) return Outcome::ok;
    if (!is_mapping_) return Outcome::type_error;
    std::size_t depth = 1;
    std::size_t end = 1;
    for (; end < rest_.size() && depth > 0; ++end) {
      if (rest_[end] == '(') ++depth;
      if (rest_[end] == ')') --depth;
    }
    if (depth > 0) return Outcome::value_error;
    const Value key = Value::text(rest_.substr(1, end - 2));
    rest_.remove_prefix(end);
    values_ = &named_;
    left_ = 1;
    if (right_.kind == Kind::undefined) {
      named_ = right_;
      return chains(scope_, right_) ? Outcome::ok : Outcome::undefined;
    }
    if (!is_mapping(right_)) return Outcome::type_error;
    bool is_there = false;
    if (const Outcome o = look_up(scope_, right_, key, named_, is_there); o != Outcome::ok) return o;
    return is_there ? Outcome::ok : Outcome::key_error;
  }

  static bool flag(Conversion& found, char c) {
    switch (c) {
      case '-':
        return found.is_left = true;
      case '+':
        return found.has_plus = true;
      case ' ':
        return found.has_space = true;
      case '#':
        return found.is_alternate = true;
      case '0':
        return found.has_zero = true;
      default:
        return false;
    }
  }

  // Digits, or `*` for an integer among the arguments.
  Outcome number(std::int64_t& out) {
    if (rest_.starts_with('*')) {
      rest_.remove_prefix(1);
      Value value;
      if (const Outcome o = next(value); o != Outcome::ok) return o;
      const bool is_integer = value.kind == Kind::integer || value.kind == Kind::boolean;
      if (!is_integer || is_markup_) return Outcome::type_error;
      out = std::max(value.payload.integer, -std::numeric_limits<std::int64_t>::max());
      return Outcome::ok;
    }
    if (rest_.empty() || !is_digit(rest_.front())) return Outcome::ok;
    out = 0;
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1)) {
      if (out > std::numeric_limits<int>::max() / 10) return Outcome::value_error;
      out = out * 10 + (rest_.front() - '0');
    }
    return Outcome::ok;
  }

  Outcome next(Value& out) {
    if (left_ == 0) return Outcome::type_error;
    --left_;
    out = *values_++;
    return Outcome::ok;
  }

  // MarkupSafe wraps arguments: text comes out escaped, a number asks the wrapped value for itself.
  Outcome markup_argument(Conversion& found, const Value& value) {
    std::string_view text;
    if (is_one_of(kTexts, found.type)) {
      const Outcome o = found.type == 's' ? text_of(scope_, value, text) : repr(scope_, value, text);
      if (o != Outcome::ok) return o;
      if (found.type == 'r' || value.kind != Kind::markup) {
        if (const Outcome safe = escape(scope_, text, text); safe != Outcome::ok) return safe;
      }
      found.type = 's';
      return writer_.argument(found, Value::text(text));
    }
    Value asked;
    if (is_one_of(kCuts, found.type)) {
      if (const Outcome o = filters::to_integer(scope_, value, Value::integer(10), asked); o != Outcome::ok)
        return o;
      found.type = 'd';
      return writer_.argument(found, asked);
    }
    if (!is_one_of(kFloats, found.type)) return Outcome::type_error;
    double number = 0;
    if (const Outcome o = filters::to_floating(scope_, value, number); o != Outcome::ok) return o;
    return writer_.argument(found, Value::floating(number));
  }

  const Scope& scope_;
  FormatWriter writer_;
  bool is_markup_;
  std::string_view rest_;
  Value right_;
  bool is_mapping_;
  Value named_;
  const Value* values_ = nullptr;
  std::uint32_t left_ = 0;
};

}  // namespace

Outcome FormatWriter::literal(std::string_view text) {
  if (const Outcome o = reserve(text.size()); o != Outcome::ok) return o;
  // reserve has made room. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
  if (!text.empty()) std::memcpy(at_, text.data(), text.size());
  at_ += text.size();
  return Outcome::ok;
}

Outcome FormatWriter::argument(const Conversion& conversion, const Value& value) {
  const bool as_text = is_one_of(kTexts, conversion.type);
  switch (value.kind) {
    case Kind::integer: {
      if (const auto f = conversion.integer_fault(value.payload.integer); f != FormatFault::none)
        return fault(f);
      if (const Outcome o = reserve(conversion.integer_bound(value.payload.integer)); o != Outcome::ok)
        return o;
      at_ = conversion.write_integer(at_, value.payload.integer);
      return Outcome::ok;
    }
    case Kind::floating: {
      if (const auto f = conversion.floating_fault(value.payload.floating); f != FormatFault::none)
        return fault(f);
      if (const Outcome o = reserve(conversion.floating_bound(value.payload.floating)); o != Outcome::ok)
        return o;
      at_ = conversion.write_floating(at_, value.payload.floating);
      return Outcome::ok;
    }
    case Kind::boolean:
      if (!as_text) return argument(conversion, Value::integer(value.payload.integer));
      break;
    case Kind::decimal:
      if (!as_text) return number(conversion, value);
      break;
    case Kind::undefined:
      // It is asked for a number before it is refused as none.
      if (is_one_of(kCuts, conversion.type) || is_one_of(kFloats, conversion.type)) return Outcome::undefined;
      break;
    default:
      break;
  }
  std::string_view text;
  if (conversion.type == 'r') {
    if (const Outcome o = repr(scope_, value, text); o != Outcome::ok) return o;
  } else if (as_text || value.is_text()) {
    if (const Outcome o = text_of(scope_, value, text); o != Outcome::ok) return o;
  } else {
    return Outcome::type_error;
  }
  return written(conversion, text);
}

// A decimal: as float for %f and its like, cut to an int for %d; the others want an int.
Outcome FormatWriter::number(const Conversion& conversion, const Value& value) {
  const Decimal decimal = decimal_of(value);
  if (is_one_of(kFloats, conversion.type)) return argument(conversion, Value::floating(to_double(decimal)));
  if (!is_one_of(kCuts, conversion.type)) return Outcome::type_error;
  std::int64_t whole_part = 0;
  if (const Outcome o = whole(decimal, Whole::cut, whole_part); o != Outcome::ok) return o;
  return argument(conversion, Value::integer(whole_part));
}

Outcome FormatWriter::written(const Conversion& conversion, std::string_view text) {
  if (const auto f = conversion.text_fault(text); f != FormatFault::none) return fault(f);
  if (const Outcome o = reserve(conversion.text_bound(text)); o != Outcome::ok) return o;
  at_ = conversion.write_text(at_, text);
  return Outcome::ok;
}

Outcome FormatWriter::reserve(std::size_t bytes) {
  const auto used = static_cast<std::size_t>(at_ - begin_);
  if (used + bytes <= capacity_) return Outcome::ok;
  if (used + bytes > scope_.most_bytes) return Outcome::asset_too_large;
  const std::size_t grown = 2 * (used + bytes);
  char* moved = scope_.arena.allocate(grown);
  if (used != 0) std::memcpy(moved, begin_, used);
  begin_ = moved;
  at_ = moved + used;
  capacity_ = grown;
  return Outcome::ok;
}

Outcome format_text(const Scope& scope, const Value& text, const Value& right, Value& out) {
  return Formatting(scope, text, right).run(out);
}

namespace filters {

Outcome format(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  // `kwargs or args`: whatever goes by position is a tuple, and no names are none of either.
  Value arguments = a[1];
  if (is_mapping(arguments)) {
    std::int64_t count = 0;
    if (const Outcome o = labfactory::length(scope, arguments, count); o != Outcome::ok) return o;
    if (count == 0) arguments = Value::list(nullptr, 0, Kind::tuple);
  } else {
    if (const Outcome o = iterate(scope, a[1], arguments); o != Outcome::ok) return o;
    Value* items = nullptr;
    if (const Outcome o = allocate_items(scope, arguments.length, items); o != Outcome::ok) return o;
    scope.arena.charge(arguments.length);
    for (std::uint32_t i = 0; i < arguments.length; ++i) {
      if (const Outcome o = item(scope, arguments, i, items[i]); o != Outcome::ok) return o;
    }
    arguments = Value::list(items, arguments.length, Kind::tuple);
  }
  return format_text(scope, Value::text(text, a[0].kind == Kind::markup), arguments, out);
}

}  // namespace filters

}  // namespace labfactory
