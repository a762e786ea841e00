// How one character behaves: the rows of the tables behind unicode.hpp and cases.hpp.
// Owner: constants only.
// Threads: any.
#pragma once

#include <cstdint>

namespace labfactory {

// The fields are those of generate_unicode.py. A case is the difference to the character, or an index of
// long_case where the flag is set.
struct UnicodeRecord {
  std::int32_t upper;
  std::int32_t lower;
  std::int32_t title;
  std::int32_t fold;
  std::uint8_t long_upper;
  std::uint8_t long_lower;
  std::uint8_t long_title;
  std::uint8_t long_fold;
  std::uint8_t is_space;
  std::uint8_t is_printable;
  std::uint8_t is_cased;
  std::uint8_t is_ignorable;
  std::uint8_t is_upper;
  std::uint8_t is_lower;
  std::uint8_t is_title;
  std::uint8_t is_alpha;
  std::uint8_t is_digit;
  std::uint8_t is_numeric;
  std::int8_t digit;
};

// Nothing holds of what is no code point.
[[nodiscard]] const UnicodeRecord& record_of(char32_t code_point);

// The three characters, zeros behind, of a case that is longer than one.
[[nodiscard]] const char32_t* long_case(std::int32_t index);

}  // namespace labfactory
