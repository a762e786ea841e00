#include "labfactory/values/unicode.hpp"

#include <algorithm>
#include <cstring>

#include "labfactory/base/byte_block.hpp"
#include "labfactory/values/unicode_record.hpp"

namespace labfactory {

namespace {

using Record = UnicodeRecord;

#include "unicode_tables.inc"

constexpr Record kNoRecord = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1};

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// The code point that ends at the end of a text that is not empty.
CodePoint decode_last(std::string_view text) {
  const std::size_t longest = std::min<std::size_t>(4, text.size());
  for (std::size_t bytes = 2; bytes <= longest; ++bytes) {
    const CodePoint found = decode_code_point(text.substr(text.size() - bytes));
    if (found.value != kNotUtf8 && found.bytes == bytes) return found;
  }
  return decode_code_point(text.substr(text.size() - 1));
}

bool contains_code_point(std::string_view text, std::string_view code_point) {
  return text.find(code_point) != std::string_view::npos;
}

// The part of text before code point `count`, which is not negative.
std::size_t offset_of(std::string_view text, std::int64_t count) {
  if (static_cast<std::uint64_t>(count) >= text.size()) return text.size();
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_continuation(text[at]) && count-- == 0) return at;
    ++at;
  }
  return at;
}

}  // namespace

const std::string_view kUnicodeVersion = kVersion;

const Record& record_of(char32_t code_point) {
  if (code_point >= kNotUtf8) return kNoRecord;
  constexpr char32_t kInBlock = (char32_t{1} << kBlockBits) - 1;
  return kRecords[kLeaves[kBlocks[code_point >> kBlockBits]][code_point & kInBlock]];
}

const char32_t* long_case(std::int32_t index) {
  return kLongCases[index];
}

bool is_ascii(std::string_view text) {
  constexpr std::uint8_t kHighBit = 0x80;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= kBlockBytes; left -= kBlockBytes, at += kBlockBytes) {
    if (any_set(load_block(at) & kHighBit)) return false;
  }
  if (left >= 8) {
    if ((load_word<std::uint64_t>(at) & kHighBits) != 0) return false;
    at += 8;
    left -= 8;
  }
  return std::all_of(at, at + left, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

CodePoint decode_beyond_ascii(std::string_view text) {
  constexpr CodePoint kBad = {kNotUtf8, 1};
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t first = byte(0);
  if (first < 0xc2 || first > 0xf4) return kBad;
  const std::size_t bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < bytes) return kBad;
  char32_t value = first & (0x7f >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[i])) return kBad;
    value = (value << 6) | (byte(i) & 0x3f);
  }
  const bool is_overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xd800 && value < 0xe000;
  if (is_overlong || is_surrogate || value >= kNotUtf8) return kBad;
  return {value, bytes};
}

char* write_code_point(char* out, char32_t code_point) {
  const auto put = [&out](char32_t byte) { *out++ = static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3f));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
  return out;
}

std::string_view strip_start(std::string_view text) {
  while (!text.empty()) {
    const CodePoint first = decode_code_point(text);
    if (!is_space(first.value)) break;
    text.remove_prefix(first.bytes);
  }
  return text;
}

std::string_view strip_end(std::string_view text) {
  while (!text.empty()) {
    const CodePoint last = decode_last(text);
    if (!is_space(last.value)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

std::string_view strip_start(std::string_view text, std::string_view characters) {
  while (!text.empty()) {
    const std::size_t bytes = decode_code_point(text).bytes;
    if (!contains_code_point(characters, text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  return text;
}

std::string_view strip_end(std::string_view text, std::string_view characters) {
  while (!text.empty()) {
    const std::size_t bytes = decode_last(text).bytes;
    if (!contains_code_point(characters, text.substr(text.size() - bytes))) break;
    text.remove_suffix(bytes);
  }
  return text;
}

std::string_view strip_text(std::string_view text) {
  return strip_end(strip_start(text));
}

std::string_view strip_text(std::string_view text, std::string_view characters) {
  return strip_end(strip_start(text, characters), characters);
}

CodePoint last_code_point(std::string_view text) {
  return decode_last(text);
}

std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return !is_continuation(byte); });
}

std::string_view first_code_points(std::string_view text, std::int64_t count) {
  return count <= 0 ? text.substr(0, 0) : text.substr(0, offset_of(text, count));
}

std::string_view slice_text(std::string_view text, std::int64_t start, std::int64_t stop) {
  if (start < 0 || stop < 0) {
    const std::int64_t length = count_code_points(text);
    if (start < 0) start = std::max<std::int64_t>(start + length, 0);
    if (stop < 0) stop = std::max<std::int64_t>(stop + length, 0);
  }
  if (stop <= start) return text.substr(0, 0);
  const std::string_view rest = text.substr(offset_of(text, start));
  return first_code_points(rest, stop - start);
}

std::optional<std::string_view> index_text(std::string_view text, std::int64_t index) {
  if (index < 0) index += count_code_points(text);
  if (index < 0) return std::nullopt;
  const std::string_view rest = text.substr(offset_of(text, index));
  if (rest.empty()) return std::nullopt;
  return first_code_points(rest, 1);
}

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
#if defined(__GLIBC__)
  // The standard library's find takes time by the product of both lengths.
  constexpr std::size_t kShort = 32;
  if (part.size() > kShort && from <= text.size()) {
    const void* const found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  }
#endif
  return text.find(part, from);
}

bool is_space_beyond_ascii(char32_t code_point) {
  return record_of(code_point).is_space != 0;
}

bool is_printable(char32_t code_point) {
  return record_of(code_point).is_printable != 0;
}

int decimal_digit(char32_t code_point) {
  return record_of(code_point).digit;
}

bool is_alpha(char32_t code_point) {
  return record_of(code_point).is_alpha != 0;
}

bool is_alphanumeric(char32_t code_point) {
  const Record& record = record_of(code_point);
  return record.is_alpha != 0 || record.digit >= 0 || record.is_digit != 0 || record.is_numeric != 0;
}

namespace {

// True when the text is not empty and every character has what is asked for.
template <class Holds>
bool all_of(std::string_view text, const Holds& holds) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    if (!holds(next.value)) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

}  // namespace

bool is_all(CharacterClass wanted, std::string_view text) {
  switch (wanted) {
    case CharacterClass::alphanumeric:
      return all_of(text, is_alphanumeric);
    case CharacterClass::alphabetic:
      return all_of(text, is_alpha);
    case CharacterClass::ascii:
      return is_ascii(text);
    case CharacterClass::decimal:
      return all_of(text, [](char32_t c) { return decimal_digit(c) >= 0; });
    case CharacterClass::digit:
      return all_of(text, [](char32_t c) { return record_of(c).is_digit != 0; });
    case CharacterClass::numeric:
      return all_of(text, [](char32_t c) { return record_of(c).is_numeric != 0; });
    case CharacterClass::space:
      return all_of(text, is_space);
  }
  return false;
}

bool is_cased_as(bool upper, std::string_view text) {
  bool found = false;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    const Record& record = record_of(next.value);
    if (record.is_title != 0 || (upper ? record.is_lower : record.is_upper) != 0) return false;
    found = found || (upper ? record.is_upper : record.is_lower) != 0;
    text.remove_prefix(next.bytes);
  }
  return found;
}

bool is_titled(std::string_view text) {
  bool found = false;
  bool follows_cased = false;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    const Record& record = record_of(next.value);
    if (record.is_upper != 0 || record.is_title != 0) {
      if (follows_cased) return false;
      found = follows_cased = true;
    } else if (record.is_lower != 0) {
      if (!follows_cased) return false;
      found = true;
    } else {
      follows_cased = false;
    }
    text.remove_prefix(next.bytes);
  }
  return found;
}

}  // namespace labfactory
