// Tags that were read once, known again by their bytes: assets of one template repeat each other's, so most
// of a text is compared with an earlier one, which goes at the speed of memory, and only what differs is
// read. Owner: views of texts, which have to outlive the memory. Threads: a memory belongs to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "labfactory/audit/link_rules.hpp"

namespace labfactory {

// How many bytes two texts begin with alike, at most `most`, which neither is shorter than.
[[nodiscard]] std::size_t common_prefix(const char* a, const char* b, std::size_t most);

class TagMemory {
 public:
  // The rules have to outlive it.
  explicit TagMemory(const LinkRules& rules) : rules_(&rules), known_(kSlots) {}

  // What the links of a text tell; the same as rules.read_text(html). Keeps views of the text.
  [[nodiscard]] ToldRules read(std::string_view html);

 private:
  // A mail has some hundred tags, and customers give it others: 512 of them stay inside L1.
  static constexpr unsigned kSlotBits = 9;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

  struct Known {
    const char* begin = nullptr;  // null: empty
    std::uint32_t tag_bytes = 0;  // up to its > and with it
    std::uint32_t reach = 0;      // the bytes that could be compared: those up to the next tag's first letter
    bool has_next = false;        // whether another tag begins two bytes before that
    std::uint16_t next = 0;       // the slot of the tag that followed last
    ToldRules told = 0;
  };

  [[nodiscard]] static std::size_t slot_of(std::string_view html, std::size_t tag);
  // The bytes that a known tag and what follows it share with a text.
  [[nodiscard]] static std::size_t alike(const Known& known, std::string_view html, std::size_t tag);
  // Reads a tag that is not known, keeps it and moves to the next.
  [[nodiscard]] ToldRules read_new(std::string_view html, std::size_t slot, std::size_t& tag);

  const LinkRules* rules_;
  std::vector<Known> known_;
};

}  // namespace labfactory
