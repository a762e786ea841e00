// The rules about links of one part, and what links tell of them.
// Owner: the rules are the auditor's.
// Threads: immutable; any number of readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "labfactory/audit/links.hpp"

namespace labfactory {

struct AuditRule;
class Needle;

// Bit i: some link breaks rule i, or for a required link, is the one that rule i asks for.
using ToldRules = std::uint64_t;

class LinkRules {
 public:
  static constexpr std::size_t kMost = 64;

  // At most kMost, each with what it looks for.
  struct Entry {
    const AuditRule* rule;
    const Needle* needle;
  };
  explicit LinkRules(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  // What a link tells.
  [[nodiscard]] ToldRules read_link(const Link& link) const;

  // What all links of a text tell, each read: the plain twin of TagMemory.
  [[nodiscard]] ToldRules read_text(std::string_view html) const;

  [[nodiscard]] bool is_broken(std::size_t entry, ToldRules told) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace labfactory
