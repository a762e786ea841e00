#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string_view>
#include <utility>

#include "labfactory/values/cases.hpp"
#include "labfactory/values/unicode.hpp"

using namespace labfactory;

namespace {

using Map = std::string_view (*)(std::string_view, Arena&);
constexpr std::pair<Map, Map> kTwins[] = {{upper_text, upper_text_plain},
                                          {lower_text, lower_text_plain},
                                          {capitalize_text, capitalize_text_plain},
                                          {swapcase_text, swapcase_text_plain},
                                          {title_words, title_words_plain},
                                          {casefold_text, casefold_text_plain},
                                          {title_text, title_text_plain}};

// An allocation of exactly a text's size, so that a sanitizer sees one byte too many.
struct Exact {
  explicit Exact(const std::string& text) : bytes(std::make_unique<char[]>(text.size())), size(text.size()) {
    std::copy(text.begin(), text.end(), bytes.get());
  }
  [[nodiscard]] std::string_view view() const { return {bytes.get(), size}; }

  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

void check_twins(std::string_view text) {
  Arena arena;
  for (const auto& [clever, plain] : kTwins) CHECK(clever(text, arena) == plain(text, arena));
}

}  // namespace

TEST_CASE("cases by blocks are those of the plain twins") {
  // Characters that grow, shrink, begin words, end them, are ignored by sigma or hang on it; few of them in
  // some texts, only ASCII in others.
  constexpr std::string_view kPieces[] = {"a",        "Z",        "q",        " ",
                                          "-",        "'",        "[",        "\n",
                                          "\xce\xa3", "\xc3\x9f", "\xc3\xa9", "\xef\xac\x81",
                                          "\xc2\xa0", "\xc2\xad", "\xc7\x86", "\xf0\x90\x90\x80"};
  constexpr std::size_t kAscii = 8;
  std::mt19937 draw(11);  // NOLINT(*-msc51-cpp): the same texts every time
  for (int round = 0; round < 20000; ++round) {
    const auto rarity = 1 + draw() % 30;
    std::string text;
    for (std::size_t left = draw() % 70; left > 0; --left)
      text += kPieces[draw() % rarity == 0 ? draw() % std::size(kPieces) : draw() % kAscii];
    const Exact exact(text);
    check_twins(exact.view());
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
    CHECK(is_ascii(exact.view()) == is_plain);
  }
}

TEST_CASE("every ASCII character has the plain twins' cases wherever it stands") {
  for (int code = 0; code < 128; ++code) {
    const auto c = static_cast<char>(code);
    for (std::size_t before = 0; before < 34; ++before) {
      check_twins(Exact(std::string(before, 'x') + c + "yZ").view());
      check_twins(Exact(std::string(before, 'X') + c).view());
    }
  }
}
