#include "labfactory/audit/characters.hpp"

#include <array>

#include "labfactory/base/byte_block.hpp"

namespace labfactory {

namespace {

// RFC 8259, section 7: what a byte of UTF-8 becomes inside a string.
constexpr std::array<std::uint8_t, 256> kJsonBytes = [] {
  std::array<std::uint8_t, 256> bytes{};
  bytes.fill(1);
  for (std::size_t c = 0; c < 0x20; ++c) bytes[c] = 6;
  for (const unsigned char c : {'\b', '\t', '\n', '\f', '\r', '"', '\\'}) bytes[c] = 2;
  return bytes;
}();

// XML 1.0, production 2.
constexpr bool is_control(unsigned char c) {
  return c < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

}  // namespace

char32_t next_character(std::string_view text, std::size_t* at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[*at + i]); };
  const unsigned char first = byte(0);
  const std::size_t more = first < 0x80 ? 0 : first < 0xC2 ? 4 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  if (more > 3 || first > 0xF4 || text.size() - *at <= more) {
    ++*at;
    return U'\uFFFD';
  }
  char32_t character = more == 0 ? first : first & (0x3FU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      ++*at;
      return U'\uFFFD';
    }
    character = character << 6 | (byte(i) & 0x3FU);
  }
  *at += more + 1;
  return character;
}

namespace {

// The first place from `at` on of a byte that may be part of what is looked for, by blocks that may hold one.
template <typename May>
std::size_t first_suspect(std::string_view text, std::size_t at, May may) {
  for (; at + kBlockBytes <= text.size(); at += kBlockBytes) {
    const ByteBlock found = may(load_block(text.data() + at));
    if (any_set(found)) return at + first_set(found);
  }
  return at;
}

}  // namespace

// Unicode Standard Annex 14: classes BK, CR, LF and NL.
bool has_line_break(std::string_view text) {
  const auto may = [](ByteBlock block) {
    return is_between(block, '\n', '\r') | is_equal(block, 0xC2) | is_equal(block, 0xE2);
  };
  for (std::size_t i = first_suspect(text, 0, may); i < text.size(); i = first_suspect(text, i + 1, may)) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= '\n' && c <= '\r') return true;
    if (c == 0xC2 && text.substr(i, 2) == "\xC2\x85") return true;
    if (c == 0xE2 && (text.substr(i, 3) == "\xE2\x80\xA8" || text.substr(i, 3) == "\xE2\x80\xA9"))
      return true;
  }
  return false;
}

bool has_control(std::string_view text) {
  const auto may = [](ByteBlock block) { return is_between(block, 0, 0x1F) | is_equal(block, 0xEF); };
  for (std::size_t i = first_suspect(text, 0, may); i < text.size(); i = first_suspect(text, i + 1, may)) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_control(c)) return true;
    if (c == 0xEF && (text.substr(i, 3) == "\xEF\xBF\xBE" || text.substr(i, 3) == "\xEF\xBF\xBF"))
      return true;
  }
  return false;
}

std::int64_t json_bytes(std::string_view text) {
  std::int64_t bytes = 2;
  for (const char c : text) bytes += kJsonBytes[static_cast<unsigned char>(c)];
  return bytes;
}

}  // namespace labfactory
