#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/audit/auditor.hpp"
#include "labfactory/audit/link_rules.hpp"
#include "labfactory/audit/needle.hpp"
#include "labfactory/audit/tag_memory.hpp"

using namespace labfactory;

namespace {

// Pieces of mails that begin, end, hide and break links.
constexpr std::string_view kPieces[] = {
    "<a href=\"https://shop.example/unsubscribe?c=17\" style=\"color:#8c8474;\">",
    "<a href=\"https://shop.example/unsubscribe?c=18\" style=\"color:#8c8474;\">",
    "<a href='javascript:x'>",
    "<a href=\"\">",
    "<a href=#>",
    "<a href>",
    "<img src=\"x>y\" alt=''>",
    "<td style=\"padding:0 24px 28px;font-size:17px;line-height:1.65;\">",
    "<td style=\"padding:0 24px 29px;font-size:17px;line-height:1.65;\">",
    "<p>",
    "</p>",
    "</a",
    "<",
    ">",
    "\"",
    "'",
    "<!-- <b title=\"",
    "Hello Ann, how lovely that you are here. ",
    "Hello Bo, how lovely that you are here. ",
    " 1 < 2 ",
    "<x/y=z src=ftp://a>",
};

AuditRule rule(RuleKind kind, std::string text = "") {
  AuditRule made;
  made.kind = kind;
  made.text = std::move(text);
  made.ignore_case = true;
  made.schemes = {"https"};
  return made;
}

}  // namespace

TEST_CASE("a memory of tags tells what reading each tag tells") {
  const std::vector<AuditRule> rules = {rule(RuleKind::link_schemes), rule(RuleKind::no_empty_links),
                                        rule(RuleKind::required_link, "UNSUBSCRIBE?C=18")};
  std::vector<Needle> needles;
  std::vector<LinkRules::Entry> entries;
  for (const AuditRule& each : rules) needles.emplace_back(each.text, each.ignore_case);
  for (std::size_t i = 0; i < rules.size(); ++i) entries.push_back({&rules[i], &needles[i]});
  const LinkRules links(entries);

  std::mt19937 draw(31);  // NOLINT(*-msc51-cpp): the same texts every time
  ToldRules seen = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string_view> mail(draw() % 30);
    for (std::string_view& piece : mail) piece = kPieces[draw() % std::size(kPieces)];
    // Texts stay until the memory goes; each has an allocation of its size, so that a sanitizer sees a byte
    // too many.
    std::vector<std::unique_ptr<char[]>> texts;
    TagMemory memory(links);
    for (int row = 0; row < 60; ++row) {
      // A few pieces of the mail are another customer's.
      std::string text;
      for (const std::string_view piece : mail)
        text += draw() % 6 == 0 ? kPieces[draw() % std::size(kPieces)] : piece;
      if (draw() % 4 == 0) text.resize(draw() % (text.size() + 1));
      texts.push_back(std::make_unique<char[]>(text.size()));
      std::copy(text.begin(), text.end(), texts.back().get());
      const std::string_view html(texts.back().get(), text.size());
      const ToldRules told = links.read_text(html);
      REQUIRE(memory.read(html) == told);
      seen |= told;
    }
  }
  CHECK(seen == 7);
}

TEST_CASE("a common prefix ends where two texts first differ") {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string text(size, 'x');
    CHECK(common_prefix(text, text + "x") == size);
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'y';
      CHECK(common_prefix(text, other) == at);
    }
  }
}
