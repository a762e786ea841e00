#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/audit/find_byte.hpp"
#include "labfactory/audit/links.hpp"
#include "labfactory/audit/needle.hpp"

using namespace labfactory;

namespace {

std::vector<std::string> links_of(std::string_view html) {
  std::vector<std::string> found;
  Link link;
  for (TagReader reader(html); !reader.has_ended();) {
    if (reader.read(&link)) found.push_back(std::string(link.attribute) + "=" + std::string(link.value));
  }
  return found;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("links are read from tags, quoted or not") {
  CHECK(links_of("<a href='x' id=1><IMG SRC=\"y>z\" alt=''><p href>") ==
        Strings{"href=x", "SRC=y>z", "href="});
  CHECK(links_of("text href='x' </a href=y> <!-- <i src=z> -->") == Strings{"src=z"});
}

TEST_CASE("a byte is found where the plain twin finds it") {
  std::mt19937 draw(20);  // NOLINT(*-msc51-cpp): the same texts every time
  for (int round = 0; round < 2000; ++round) {
    // An allocation of exactly this size, so that a sanitizer sees one byte too many.
    std::vector<char> bytes(draw() % 70);
    for (char& byte : bytes) byte = static_cast<char>('a' + draw() % 24);
    const std::string_view text(bytes.data(), bytes.size());
    for (std::size_t at = 0; at <= text.size() + 1; ++at)
      CHECK(find_byte(text, at, 'b') == find_byte_plain(text, at, 'b'));
  }
}

TEST_CASE("every prefix of a tag ends") {
  const std::string html = "<a title = 'q' / href=\"x\"  src = y background>";
  for (std::size_t size = 0; size <= html.size(); ++size) {
    // An allocation of exactly this size, so that a sanitizer sees one byte too many.
    const std::vector<char> prefix(html.begin(), html.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(links_of({prefix.data(), prefix.size()}).size() <= 3);
  }
}

TEST_CASE("schemes are the letters before the first colon") {
  CHECK(scheme_of("https://x") == "https");
  CHECK(scheme_of("a/b:c").empty());
  CHECK(scheme_of(":x").empty());
  CHECK(scheme_of("x").empty());
}

TEST_CASE("a needle is found in any case at either end") {
  const Needle needle("UnSub", true);
  for (const std::string_view text : {"unsub", "xxUNSUB", "uNsUbxx", "ununsub", "unsuunsub"})
    CHECK(needle.is_in(text));
  for (const std::string_view text : {"", "unsu", "nsub", "un sub"}) CHECK_FALSE(needle.is_in(text));
  CHECK(Needle("", true).is_in(""));
}
