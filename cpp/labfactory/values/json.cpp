#include "labfactory/values/json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
// "\ud83d\ude00" is the longest that one character becomes.
constexpr std::size_t kLongestEscape = 12;

char* write_unit(char* out, char32_t unit) {
  *out++ = '\\';
  *out++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = kHex[(unit >> shift) & 15];
  return out;
}

char short_escape(char32_t c) {
  switch (c) {
    case U'"':
    case U'\\':
      return static_cast<char>(c);
    case U'\n':
      return 'n';
    case U'\r':
      return 'r';
    case U'\t':
      return 't';
    case U'\f':
      return 'f';
    case U'\b':
      return 'b';
    default:
      return '\0';
  }
}

// Bytes that stand for themselves.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = true;
  for (const unsigned char c : {'"', '\\', '<', '>', '&', '\''}) plain[c] = false;
  return plain;
}();

// How many bytes at the start of a text stand for themselves.
std::size_t plain_run(std::string_view text) {
  std::size_t run = 0;
  while (run < text.size() && kPlain[static_cast<unsigned char>(text[run])]) ++run;
  return run;
}

char* write_character(char* out, char32_t c) {
  if (const char letter = short_escape(c); letter != '\0') {
    *out++ = '\\';
    *out++ = letter;
    return out;
  }
  if (c < 0x10000) return write_unit(out, c);
  out = write_unit(out, 0xd800 + ((c - 0x10000) >> 10));
  return write_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

class Writer {
 public:
  Writer(const Scope& scope, std::optional<std::string_view> indent)
      : scope_(scope), indent_(indent), out_(scope.arena, scope.most_bytes) {}

  Outcome value(const Value& v) {
    switch (v.kind) {
      case Kind::none:
        return literal("null");
      case Kind::boolean:
        return literal(v.payload.integer != 0 ? "true" : "false");
      case Kind::integer:
        return number(v);
      case Kind::floating:
        return floating(v.payload.floating);
      case Kind::text:
      case Kind::markup:
        return text(v.view());
      case Kind::list:
      case Kind::tuple:
      case Kind::column_list:
        return list(v);
      case Kind::dict:
      case Kind::column_map:
      case Kind::record:
        return dict(v);
      default:
        // json.dumps knows no other types.
        return Outcome::type_error;
    }
  }

  [[nodiscard]] std::string_view written() const { return out_.text(); }

 private:
  Outcome literal(std::string_view part) {
    return out_.append(part) ? Outcome::ok : Outcome::asset_too_large;
  }

  Outcome number(const Value& v) {
    std::string_view digits;
    if (const Outcome o = text_of(scope_, v, digits); o != Outcome::ok) return o;
    return literal(digits);
  }

  Outcome floating(double f) {
    if (std::isnan(f)) return literal("NaN");
    if (std::isinf(f)) return literal(f > 0 ? "Infinity" : "-Infinity");
    return number(Value::floating(f));
  }

  Outcome text(std::string_view t) {
    charge_text(scope_, t);
    if (const Outcome o = literal("\""); o != Outcome::ok) return o;
    for (;;) {
      const std::size_t run = plain_run(t);
      if (const Outcome o = literal(t.substr(0, run)); o != Outcome::ok) return o;
      t.remove_prefix(run);
      if (t.empty()) break;
      const CodePoint next = decode_code_point(t);
      if (next.value == kNotUtf8) return Outcome::encoding;
      char* const room = out_.room(kLongestEscape);
      if (room == nullptr) return Outcome::asset_too_large;
      out_.commit(write_character(room, next.value));
      t.remove_prefix(next.bytes);
    }
    return literal("\"");
  }

  Outcome list(const Value& v) {
    if (v.length == 0) return literal("[]");
    if (const Outcome o = open("["); o != Outcome::ok) return o;
    for (std::uint32_t i = 0; i < v.length; ++i) {
      scope_.arena.charge(1);
      Value entry;
      if (const Outcome o = item(scope_, v, i, entry); o != Outcome::ok) return o;
      if (const Outcome o = between(i); o != Outcome::ok) return o;
      if (const Outcome o = value(entry); o != Outcome::ok) return o;
    }
    return close("]");
  }

  Outcome dict(const Value& v) {
    Value entries;
    if (const Outcome o = entries_of(scope_, v, entries); o != Outcome::ok) return o;
    const std::uint32_t count = entries.length / 2;
    if (count == 0) return literal("{}");
    auto* const order = reinterpret_cast<Entry*>(scope_.arena.allocate(count * sizeof(Entry)));
    for (std::uint32_t i = 0; i < count; ++i) {
      order[i] = {&entries.payload.items[std::size_t{2} * i], &entries.payload.items[std::size_t{2} * i + 1]};
    }
    if (const Outcome o = sort({order, count}); o != Outcome::ok) return o;
    if (const Outcome o = open("{"); o != Outcome::ok) return o;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (const Outcome o = between(i); o != Outcome::ok) return o;
      if (const Outcome o = key(*order[i].key); o != Outcome::ok) return o;
      if (const Outcome o = literal(": "); o != Outcome::ok) return o;
      if (const Outcome o = value(*order[i].value); o != Outcome::ok) return o;
    }
    return close("}");
  }

  struct Entry {
    const Value* key;
    const Value* value;
  };

  // Sorts as Python does, which cannot sort a mixture of texts and others.
  Outcome sort(std::span<Entry> entries) {
    const auto all = [&](auto holds) {
      return std::all_of(entries.begin(), entries.end(), [&](const Entry& e) { return holds(*e.key); });
    };
    if (all([](const Value& key) { return key.is_text(); })) {
      std::sort(entries.begin(), entries.end(),
                [](const Entry& a, const Entry& b) { return a.key->view() < b.key->view(); });
      return Outcome::ok;
    }
    // A lone key, of any kind, is in order.
    if (entries.size() == 1) return Outcome::ok;
    if (!all([](const Value& key) { return key.is_number(); })) return Outcome::type_error;
    // Where NaN ends up depends on how CPython sorts.
    if (!all(
            [](const Value& key) { return key.kind != Kind::floating || !std::isnan(key.payload.floating); }))
      return Outcome::unsupported;
    std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
      bool is_less = false;
      return compare(scope_, Order::less, *a.key, *b.key, is_less) == Outcome::ok && is_less;
    });
    return Outcome::ok;
  }

  // Text, or what json.dumps writes as such.
  Outcome key(const Value& v) {
    if (v.is_text()) return text(v.view());
    if (v.kind != Kind::none && !v.is_number()) return Outcome::type_error;
    if (const Outcome o = literal("\""); o != Outcome::ok) return o;
    if (const Outcome o = value(v); o != Outcome::ok) return o;
    return literal("\"");
  }

  Outcome line() {
    if (!indent_) return Outcome::ok;
    return out_.append("\n") && out_.append(depth_, *indent_) ? Outcome::ok : Outcome::asset_too_large;
  }
  Outcome open(std::string_view bracket) {
    ++depth_;
    if (const Outcome o = literal(bracket); o != Outcome::ok) return o;
    return line();
  }
  Outcome close(std::string_view bracket) {
    --depth_;
    if (const Outcome o = line(); o != Outcome::ok) return o;
    return literal(bracket);
  }
  Outcome between(std::uint32_t i) {
    if (i == 0) return Outcome::ok;
    if (const Outcome o = literal(indent_ ? "," : ", "); o != Outcome::ok) return o;
    return line();
  }

  const Scope& scope_;
  std::optional<std::string_view> indent_;
  ArenaText out_;
  std::size_t depth_ = 0;
};

}  // namespace

Outcome to_json(const Scope& scope, const Value& value, std::optional<std::string_view> indent,
                std::string_view& out) {
  Writer writer(scope, indent);
  const Outcome outcome = writer.value(value);
  out = writer.written();
  return outcome;
}

}  // namespace labfactory
