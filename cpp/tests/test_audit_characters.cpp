#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/audit/characters.hpp"
#include "labfactory/audit/sms.hpp"

using namespace labfactory;

TEST_CASE("bytes that are no UTF-8 are read to their end and no further") {
  std::mt19937 draw(23);  // NOLINT(*-msc51-cpp): the same bytes every time
  for (int round = 0; round < 20000; ++round) {
    // An allocation of exactly this size, so that a sanitizer sees one byte too many.
    std::vector<char> bytes(1 + draw() % 8);
    for (char& byte : bytes) byte = static_cast<char>(draw() % 2 == 0 ? 0x80 + draw() % 0x80 : draw() % 0x80);
    const std::string_view text(bytes.data(), bytes.size());
    std::size_t read = 0;
    for (std::size_t at = 0; at < text.size(); ++read) {
      const std::size_t before = at;
      (void)next_character(text, &at);
      REQUIRE(at > before);
      REQUIRE(at <= text.size());
    }
    const SmsSize size = sms_size(text);
    CHECK(size.segments == 1);
    CHECK(size.units <= static_cast<std::int64_t>(2 * read));
    CHECK(json_bytes(text) >= static_cast<std::int64_t>(text.size()) + 2);
    (void)has_line_break(text);
    (void)has_control(text);
  }
}

TEST_CASE("characters of every length are put together") {
  const std::string_view text = "a\xC3\xA7\xE2\x82\xAC\xF0\x9F\x91\x8B";
  std::vector<char32_t> found;
  for (std::size_t at = 0; at < text.size();) found.push_back(next_character(text, &at));
  CHECK(found == std::vector<char32_t>{U'a', U'\u00E7', U'\u20AC', U'\U0001F44B'});
}

TEST_CASE("a line break or a control is found wherever it stands") {
  constexpr std::string_view kBreaks[] = {"\n", "\v", "\f", "\r", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
  constexpr std::string_view kControls[] = {{"\0", 1}, "\x01", "\x1F", "\v", "\xEF\xBF\xBE", "\xEF\xBF\xBF"};
  // Their neighbours, which begin alike or stand next to them.
  constexpr std::string_view kNeither[] = {
      "\t",           " ",    "\x7F",     "\xC2\x84", "\xE2\x80\xA7", "\xE2\x80\xAA",
      "\xEF\xBF\xBD", "\xC2", "\xE2\x80", "\xEF\xBF"};
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const auto around = [&](std::string_view middle) {
        std::string text(before, 'a');
        return text.append(middle).append(after, 'z');
      };
      for (const std::string_view found : kBreaks) CHECK(has_line_break(around(found)));
      for (const std::string_view found : kControls) CHECK(has_control(around(found)));
      for (const std::string_view other : kNeither) {
        CHECK_FALSE(has_line_break(around(other)));
        CHECK_FALSE(has_control(around(other)));
      }
    }
  }
}
