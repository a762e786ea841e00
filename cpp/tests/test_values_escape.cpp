#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/values/escape.hpp"

using namespace labfactory;

namespace {

// Both buffers are exact, so that a sanitizer sees a load past the text and a store past the bound.
std::string escaped_by(EscapeWriter write, const std::string& text) {
  const auto in = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), in.get());
  const auto out = std::make_unique<char[]>(escaped_bound(text.size()));
  const char* const end = write(out.get(), {in.get(), text.size()});
  return {out.get(), static_cast<std::size_t>(end - out.get())};
}

std::string escaped_by_hand(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<EscapeWriter> writers() {
  std::vector<EscapeWriter> found = {write_escaped, write_escaped_plain};
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) found.push_back(write_escaped_avx2);
#endif
  return found;
}

}  // namespace

TEST_CASE("every kernel escapes random bytes as the rule says") {
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    std::string text(random() % 150, ' ');
    const auto rarity = 1 + random() % 40;
    for (char& c : text)
      c = random() % rarity == 0 ? "&<>'\""[random() % 5] : static_cast<char>(random() % 256);
    const std::string expected = escaped_by_hand(text);
    CHECK(escaped_size(text) == expected.size());
    for (const EscapeWriter write : writers()) CHECK(escaped_by(write, text) == expected);
  }
}

TEST_CASE("text that is all special fills its bound and no more") {
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string text(size, '"');
    for (const EscapeWriter write : writers()) CHECK(escaped_by(write, text) == escaped_by_hand(text));
  }
}

TEST_CASE("text that needs no escape is given back as it came") {
  Arena arena;
  const std::string_view text = "plain text";
  CHECK(escape_text(text, arena).data() == text.data());
  CHECK(arena.used() == 0);
  CHECK(escape_text("a&b", arena) == "a&amp;b");
}
