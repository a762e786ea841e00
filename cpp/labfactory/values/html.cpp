#include "labfactory/values/html.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "labfactory/values/lines.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

struct Entity {
  std::string_view name;  // with its semicolon, where it must have one
  std::string_view value;
};

#include "html_entities.inc"

// Names have no more bytes than this; html.unescape looks no further either.
constexpr std::size_t kLongestName = 32;
// No value has more than twice the bytes of its name and ampersand: "&nGt;" has five and names six.
constexpr std::size_t kGrowth = 2;

const Entity* find_entity(std::string_view name) {
  const Entity* const found =
      std::lower_bound(std::begin(kEntities), std::end(kEntities), name,
                       [](const Entity& e, std::string_view n) { return e.name < n; });
  return found != std::end(kEntities) && found->name == name ? found : nullptr;
}

// What HTML reads the numbers of the C1 controls as, by Windows-1252; 0 stands for U+FFFD's own rule.
constexpr std::array<char32_t, 32> kControls = {
    0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

bool is_invalid(std::uint32_t n) {
  const bool is_control = (n >= 0x1 && n <= 0x8) || (n >= 0xe && n <= 0x1f) || (n >= 0x7f && n <= 0x9f);
  const bool is_no_character = (n >= 0xfdd0 && n <= 0xfdef) || n == 0xb || (n & 0xfffe) == 0xfffe;
  return is_control || is_no_character;
}

char* write_number(char* out, std::uint32_t n) {
  constexpr char32_t kReplacement = 0xfffd;
  if (n == 0) return write_code_point(out, kReplacement);
  if (n == 0x0d) return write_code_point(out, n);
  if (n >= 0x80 && n <= 0x9f) return write_code_point(out, kControls[n - 0x80]);
  if ((n >= 0xd800 && n <= 0xdfff) || n > 0x10ffff) return write_code_point(out, kReplacement);
  return is_invalid(n) ? out : write_code_point(out, n);
}

int digit_of(char c, unsigned base) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return base == 16 && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// A reference by number behind "&#"; its bytes, 0 where it is none.
std::size_t read_number(std::string_view text, std::uint32_t& number) {
  const bool is_hex = !text.empty() && (text[0] == 'x' || text[0] == 'X');
  const unsigned base = is_hex ? 16 : 10;
  std::size_t at = is_hex ? 1 : 0;
  const std::size_t first = at;
  std::uint64_t value = 0;
  constexpr std::uint64_t kPast = 0x110000;
  for (; at < text.size(); ++at) {
    const int digit = digit_of(text[at], base);
    if (digit < 0) break;
    value = std::min<std::uint64_t>(value * base + static_cast<unsigned>(digit), kPast);
  }
  if (at == first) return 0;
  number = static_cast<std::uint32_t>(value);
  return at + (at < text.size() && text[at] == ';' ? 1 : 0);
}

// The characters behind "&" that may name something: none of [\t\n\f <&#;], then perhaps a semicolon.
std::size_t name_size(std::string_view text) {
  std::size_t at = 0;
  std::size_t characters = 0;
  while (at < text.size() && characters < kLongestName) {
    if (std::string_view("\t\n\f <&#;").find(text[at]) != std::string_view::npos) break;
    at += decode_code_point(text.substr(at)).bytes;
    ++characters;
  }
  return characters == 0 ? 0 : at + (at < text.size() && text[at] == ';' ? 1 : 0);
}

}  // namespace

std::string_view unescape_html(std::string_view text, Arena& arena) {
  if (text.find('&') == std::string_view::npos) return text;
  char* const begin = arena.allocate(kGrowth * text.size());
  char* out = begin;
  while (!text.empty()) {
    const std::size_t literal = std::min(text.find('&'), text.size());
    out = std::copy_n(text.data(), literal, out);
    text.remove_prefix(literal);
    if (text.empty()) break;
    std::uint32_t number = 0;
    if (text.substr(0, 2) == "&#") {
      if (const std::size_t bytes = read_number(text.substr(2), number); bytes != 0) {
        out = write_number(out, number);
        text.remove_prefix(2 + bytes);
        continue;
      }
    }
    const std::size_t size = name_size(text.substr(1));
    const Entity* found = nullptr;
    std::size_t named = size;
    // The whole name, or the longest beginning of it, of two letters or more, that is one.
    for (; named > 1 || (named == size && named != 0); --named) {
      found = find_entity(text.substr(1, named));
      if (found != nullptr) break;
    }
    const std::string_view value = found != nullptr ? found->value : text.substr(0, 1 + size);
    out = std::copy(value.begin(), value.end(), out);
    text.remove_prefix(1 + (found != nullptr ? named : size));
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

std::string_view strip_tags(std::string_view text, Arena& arena) {
  char* const begin = arena.allocate(text.size());
  char* out = begin;
  while (!text.empty()) {
    const std::size_t start = std::min(text.find('<'), text.size());
    std::size_t end = std::string_view::npos;
    if (text.substr(start, 4) == "<!--") {
      end = text.find("-->", start + 4);
      end += end == std::string_view::npos ? 0 : 3;
    } else if (start < text.size()) {
      end = text.find('>', start);
      end += end == std::string_view::npos ? 0 : 1;
    }
    const bool is_open = end == std::string_view::npos;
    out = std::copy_n(text.data(), is_open ? text.size() : start, out);
    text.remove_prefix(is_open ? text.size() : end);
  }
  const std::string_view kept(begin, static_cast<std::size_t>(out - begin));
  char* const joined = arena.allocate(kept.size());
  out = joined;
  for (const std::string_view word : split_words(kept, -1, false, arena)) {
    if (out != joined) *out++ = ' ';
    out = std::copy(word.begin(), word.end(), out);
  }
  return unescape_html({joined, static_cast<std::size_t>(out - joined)}, arena);
}

std::string_view quote_url(std::string_view text, bool for_query, Arena& arena) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto is_safe = [for_query](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '~' || (c == '/' && !for_query);
  };
  char* const begin = arena.allocate(3 * text.size());
  char* out = begin;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_safe(c)) {
      *out++ = c;
    } else if (for_query && c == ' ') {
      *out++ = '+';
    } else {
      *out++ = '%';
      *out++ = kHex[byte >> 4];
      *out++ = kHex[byte & 15];
    }
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

}  // namespace labfactory
