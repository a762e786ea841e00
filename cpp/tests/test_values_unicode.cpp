#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/format.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

using namespace labfactory;

namespace {

// Bytes that start, continue and break sequences.
std::string random_bytes(std::mt19937& random) {
  constexpr unsigned char kBytes[] = {'a',  'Z',  ' ',  '-',  0x80, 0xa3, 0xbf, 0xc0,
                                      0xc3, 0xce, 0xcf, 0xe0, 0xed, 0xf0, 0xf4, 0xff};
  std::string text(random() % 24, ' ');
  for (char& c : text) c = static_cast<char>(kBytes[random() % sizeof kBytes]);
  return text;
}

}  // namespace

TEST_CASE("bytes that are not UTF-8 pass through every function safely") {
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    const std::string source = random_bytes(random);
    const auto owner = std::make_unique<char[]>(source.size());
    std::copy(source.begin(), source.end(), owner.get());
    const std::string_view text(owner.get(), source.size());
    Arena arena;
    for (const std::string_view cased : {upper_text(text, arena), lower_text(text, arena),
                                         capitalize_text(text, arena), title_text(text, arena)}) {
      CHECK(cased.size() <= 3 * text.size());
    }
    CHECK(strip_text(text).size() <= text.size());
    CHECK(strip_text(text, "a\xc3").size() <= text.size());
    CHECK(repr_text(text, arena).size() <= repr_text_bound(text.size()));
    CHECK(count_code_points(text) <= static_cast<std::int64_t>(text.size()));
    CHECK(slice_text(text, -3, -1).size() <= text.size());
    CHECK(truncate_text(text, 4, false, "\xc3", 0, true, arena).has_value());
    CHECK(replace_text(text, "", text, -1, arena, 1000).has_value());
    std::int64_t value = 0;
    CHECK(parse_integer(text, value) == ParsedInteger::invalid);
    CHECK_THROWS_AS(Format("%" + source), Error);
  }
}

TEST_CASE("code points that no UTF-8 may hold are not decoded") {
  for (const std::string_view text : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf0\x80\x80\xaf", "\x80", "\xe2\x82"})
    CHECK(decode_code_point(text).value == kNotUtf8);
  CHECK(decode_code_point("\xf0\x9f\x98\x80!").value == U'\U0001f600');
}
