#include "labfactory/values/cases.hpp"

#include <algorithm>
#include <cstdint>

#include "labfactory/base/byte_block.hpp"
#include "labfactory/values/unicode.hpp"
#include "labfactory/values/unicode_record.hpp"

namespace labfactory {

namespace {

constexpr char32_t kCapitalSigma = U'\u03a3';
constexpr char32_t kSmallSigma = U'\u03c3';
constexpr char32_t kFinalSigma = U'\u03c2';
// generate_unicode.py refuses tables that grow more.
constexpr std::size_t kCaseGrowth = 3;
constexpr std::uint8_t kCaseBit = 0x20;

ByteBlock is_upper_ascii(ByteBlock block) {
  return is_between(block, 'A', 'Z');
}

ByteBlock is_lower_ascii(ByteBlock block) {
  return is_between(block, 'a', 'z');
}

// Upper case where `starts` holds, lower case elsewhere.
ByteBlock cased(ByteBlock block, ByteBlock starts) {
  return block ^ (((starts & is_lower_ascii(block)) | (~starts & is_upper_ascii(block))) & kCaseBit);
}

// The bytes one place on, `front` before them. By words: compilers take byte shuffles of the baseline apart.
ByteBlock shifted(ByteBlock block, char front) {
  auto words = std::bit_cast<std::array<std::uint64_t, 2>>(block);
  words[1] = words[1] << 8 | words[0] >> 56;
  words[0] = words[0] << 8 | static_cast<unsigned char>(front);
  return std::bit_cast<ByteBlock>(words);
}

char* write_case(char* out, char32_t code_point, std::int32_t field, bool is_long) {
  if (!is_long) return write_code_point(out, code_point + static_cast<char32_t>(field));
  const char32_t* const parts = long_case(field);
  for (int i = 0; i < 3 && parts[i] != 0; ++i) out = write_code_point(out, parts[i]);
  return out;
}

char* write_upper(char* out, char32_t code_point) {
  const UnicodeRecord& record = record_of(code_point);
  return write_case(out, code_point, record.upper, record.long_upper != 0);
}

char* write_title(char* out, char32_t code_point) {
  const UnicodeRecord& record = record_of(code_point);
  return write_case(out, code_point, record.title, record.long_title != 0);
}

// The class of Jinja2's word beginnings: [-\s({\[<]
bool begins_word(char32_t c) {
  return is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<';
}

ByteBlock begins_word(ByteBlock block) {
  return is_between(block, '\t', '\r') | is_between(block, 0x1c, ' ') | is_equal(block, '-') |
         is_equal(block, '(') | is_equal(block, '<') | is_equal(block | kCaseBit, '{');
}

// CPython's handle_capital_sigma: final after a cased character and not before one, both past ignorable ones.
// Where only words are looked at, their first characters do not count as what stands before; what parts words
// is neither cased nor ignorable.
bool is_final_sigma(std::string_view before, std::string_view after, bool by_words) {
  bool follows_cased = false;
  while (!before.empty()) {
    const CodePoint last = last_code_point(before);
    const UnicodeRecord& record = record_of(last.value);
    before.remove_suffix(last.bytes);
    if (record.is_ignorable != 0) continue;
    follows_cased = record.is_cased != 0;
    if (by_words && (before.empty() || begins_word(last_code_point(before).value))) follows_cased = false;
    break;
  }
  if (!follows_cased) return false;
  while (!after.empty()) {
    const CodePoint next = decode_code_point(after);
    const UnicodeRecord& record = record_of(next.value);
    if (record.is_ignorable == 0) return record.is_cased == 0;
    after.remove_prefix(next.bytes);
  }
  return true;
}

// One character of a text, and where it stands: what is around a sigma decides its lower case.
struct Place {
  std::string_view text;
  std::size_t at;
  CodePoint character;

  [[nodiscard]] char32_t value() const { return character.value; }
};

char* write_lower(char* out, const Place& place, bool by_words = false) {
  const char32_t value = place.value();
  if (value == kCapitalSigma) {
    const std::string_view after = place.text.substr(place.at + place.character.bytes);
    const bool is_final = is_final_sigma(place.text.substr(0, place.at), after, by_words);
    return write_code_point(out, is_final ? kFinalSigma : kSmallSigma);
  }
  const UnicodeRecord& record = record_of(value);
  return write_case(out, value, record.lower, record.long_lower != 0);
}

// Where nothing begins, and where something does: the byte that a block's first one sees before it.
constexpr char kWithin = 'a';
constexpr char kBlank = ' ';
// No ASCII text holds it.
constexpr char kStart = '\x80';

// What each function does with a block of ASCII and with one character of any kind. `starts` says whether a
// word begins here, where words count, and is set for the next character; `before` holds each byte's
// predecessor, kFront where a word begins with the block.
struct Upper {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock) { return block ^ (is_lower_ascii(block) & kCaseBit); }
  static bool starts_after(char) { return false; }
  static char* character(char* out, const Place& place, bool&) { return write_upper(out, place.value()); }
};

struct Lower {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock) { return block ^ (is_upper_ascii(block) & kCaseBit); }
  static bool starts_after(char) { return false; }
  static char* character(char* out, const Place& place, bool&) { return write_lower(out, place); }
};

struct Fold {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock before) { return Lower::block(block, before); }
  static bool starts_after(char) { return false; }
  static char* character(char* out, const Place& place, bool&) {
    const UnicodeRecord& record = record_of(place.value());
    return write_case(out, place.value(), record.fold, record.long_fold != 0);
  }
};

struct Swapped {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock) {
    return block ^ (is_lower_ascii(block | kCaseBit) & kCaseBit);
  }
  static bool starts_after(char) { return false; }
  static char* character(char* out, const Place& place, bool&) {
    const UnicodeRecord& record = record_of(place.value());
    if (record.is_upper != 0) return write_lower(out, place);
    if (record.is_lower != 0) return write_upper(out, place.value());
    return write_code_point(out, place.value());
  }
};

// Only the text's first character starts anything.
struct Capital {
  static constexpr char kFront = kStart;
  static ByteBlock block(ByteBlock block, ByteBlock before) {
    return cased(block, is_equal(before, static_cast<std::uint8_t>(kStart)));
  }
  static bool starts_after(char) { return false; }
  static char* character(char* out, const Place& place, bool& starts) {
    const bool is_first = starts;
    starts = false;
    return is_first ? write_title(out, place.value()) : write_lower(out, place);
  }
};

struct Words {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock before) {
    return cased(block, ~is_lower_ascii(before | kCaseBit));
  }
  static bool starts_after(char c) { return record_of(static_cast<unsigned char>(c)).is_cased == 0; }
  static char* character(char* out, const Place& place, bool& starts) {
    const bool is_first = starts;
    starts = record_of(place.value()).is_cased == 0;
    return is_first ? write_title(out, place.value()) : write_lower(out, place);
  }
};

struct Title {
  static constexpr char kFront = kBlank;
  static ByteBlock block(ByteBlock block, ByteBlock before) { return cased(block, begins_word(before)); }
  static bool starts_after(char c) { return begins_word(static_cast<unsigned char>(c)); }
  static char* character(char* out, const Place& place, bool& starts) {
    const bool is_first = starts;
    starts = begins_word(place.value());
    return is_first ? write_upper(out, place.value()) : write_lower(out, place, true);
  }
};

// Writes the character at a place and moves behind it; bytes that are no UTF-8 stay.
template <typename Case>
char* write_character(char* out, std::string_view text, std::size_t& at, bool& starts) {
  const CodePoint next = decode_code_point(text.substr(at));
  if (next.value == kNotUtf8) {
    *out++ = text[at];
    starts = false;
  } else {
    out = Case::character(out, {text, at, next}, starts);
  }
  at += next.bytes;
  return out;
}

std::string_view span_between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

template <typename Case>
std::string_view changed(std::string_view text, Arena& arena) {
  constexpr std::uint8_t kHighBit = 0x80;
  const std::size_t growth = is_ascii(text) ? 1 : kCaseGrowth;
  // Whole blocks are stored, also for the last bytes.
  char* const begin = arena.allocate(growth * text.size() + kBlockBytes);
  char* out = begin;
  bool starts = true;
  for (std::size_t at = 0; at < text.size();) {
    const char* const in = text.data() + at;
    const std::size_t left = text.size() - at;
    const ByteBlock block = left < kBlockBytes ? load_short(in, left) : load_block(in);
    store_block(out, Case::block(block, shifted(block, starts ? Case::kFront : kWithin)));
    const std::size_t run = std::min(first_set(block & kHighBit), left);
    if (run != 0) starts = Case::starts_after(in[run - 1]);
    at += run;
    out += run;
    if (run == kBlockBytes) continue;
    while (at < text.size() && (text[at] & kHighBit) != 0) out = write_character<Case>(out, text, at, starts);
  }
  return span_between(begin, out);
}

template <typename Case>
std::string_view changed_plain(std::string_view text, Arena& arena) {
  char* const begin = arena.allocate(kCaseGrowth * text.size());
  char* out = begin;
  bool starts = true;
  for (std::size_t at = 0; at < text.size();) out = write_character<Case>(out, text, at, starts);
  return span_between(begin, out);
}

}  // namespace

std::string_view upper_text(std::string_view text, Arena& arena) {
  return changed<Upper>(text, arena);
}
std::string_view lower_text(std::string_view text, Arena& arena) {
  return changed<Lower>(text, arena);
}
std::string_view capitalize_text(std::string_view text, Arena& arena) {
  return changed<Capital>(text, arena);
}
std::string_view swapcase_text(std::string_view text, Arena& arena) {
  return changed<Swapped>(text, arena);
}
std::string_view title_words(std::string_view text, Arena& arena) {
  return changed<Words>(text, arena);
}
std::string_view casefold_text(std::string_view text, Arena& arena) {
  return changed<Fold>(text, arena);
}
std::string_view title_text(std::string_view text, Arena& arena) {
  return changed<Title>(text, arena);
}

std::string_view upper_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Upper>(text, arena);
}
std::string_view lower_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Lower>(text, arena);
}
std::string_view capitalize_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Capital>(text, arena);
}
std::string_view swapcase_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Swapped>(text, arena);
}
std::string_view title_words_plain(std::string_view text, Arena& arena) {
  return changed_plain<Words>(text, arena);
}
std::string_view casefold_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Fold>(text, arena);
}
std::string_view title_text_plain(std::string_view text, Arena& arena) {
  return changed_plain<Title>(text, arena);
}

}  // namespace labfactory
