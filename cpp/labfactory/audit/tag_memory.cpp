#include "labfactory/audit/tag_memory.hpp"

#include <algorithm>

#include "labfactory/audit/find_byte.hpp"
#include "labfactory/base/byte_block.hpp"

namespace labfactory {

namespace {

// Longer tags are read each time: a picture inside a link takes kilobytes, and is not worth being kept.
constexpr std::size_t kLongestTag = 4096;

// A tag's bytes as one number: beginning, end and length tell most tags apart.
std::uint64_t mixed(const char* at, std::size_t n) {
  constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15;
  constexpr std::uint64_t kSecond = 0xc2b2ae3d27d4eb4f;
  const ByteBlock front = n < kBlockBytes ? load_short(at, n) : load_block(at);
  const ByteBlock back = n < kBlockBytes ? ByteBlock{} : load_block(at + n - kBlockBytes);
  const auto a = std::bit_cast<std::array<std::uint64_t, 2>>(front);
  const auto b = std::bit_cast<std::array<std::uint64_t, 2>>(back);
  const std::uint64_t middle = n < kBlockBytes ? 0 : load_word<std::uint64_t>(at + n / 2);
  const std::uint64_t folded = (a[0] + n) * kFirst ^ std::rotl(a[1] * kSecond, 17) ^
                               std::rotl(b[0] * kFirst, 31) ^ std::rotl(b[1] * kSecond, 47) ^
                               middle * (kFirst ^ kSecond);
  return (folded ^ folded >> 29) * kFirst;
}

}  // namespace

std::size_t common_prefix(const char* a, const char* b, std::size_t most) {
  std::size_t at = 0;
  for (; at + kBlockBytes <= most; at += kBlockBytes) {
    const ByteBlock differs = ~is_equal(load_block(a + at), load_block(b + at));
    if (any_set(differs)) return at + first_set(differs);
  }
  while (at < most && a[at] == b[at]) ++at;
  return at;
}

ToldRules TagMemory::read(std::string_view html) {
  ToldRules told = 0;
  Known* before = nullptr;
  for (std::size_t tag = find_tag(html, 0); tag != std::string_view::npos;) {
    std::size_t slot = before != nullptr ? before->next : 0;
    std::size_t same = alike(known_[slot], html, tag);
    if (same < known_[slot].tag_bytes || same == 0) {
      slot = slot_of(html, tag);
      same = alike(known_[slot], html, tag);
    }
    if (before != nullptr) before->next = static_cast<std::uint16_t>(slot);
    Known& known = known_[slot];
    before = &known;
    if (same < known.tag_bytes || same == 0) {
      told |= read_new(html, slot, tag);
      continue;
    }
    told |= known.told;
    const bool leads = known.has_next && same == known.reach;
    tag = leads ? tag + known.reach - 2 : find_tag(html, tag + known.tag_bytes);
  }
  return told;
}

std::size_t TagMemory::slot_of(std::string_view html, std::size_t tag) {
  const std::size_t end = std::min(find_byte(html, tag, '>'), html.size());
  return static_cast<std::size_t>(mixed(html.data() + tag, end - tag) >> (64 - kSlotBits));
}

std::size_t TagMemory::alike(const Known& known, std::string_view html, std::size_t tag) {
  if (known.begin == nullptr) return 0;
  return common_prefix(known.begin, html.data() + tag, std::min<std::size_t>(known.reach, html.size() - tag));
}

ToldRules TagMemory::read_new(std::string_view html, std::size_t slot, std::size_t& tag) {
  TagReader reader(html, tag);
  const ToldRules told = rules_->read_tag(reader);
  const std::size_t begin = tag;
  tag = find_tag(html, reader.end());
  const std::size_t size = reader.end() - begin;
  if (!reader.is_closed() || size > kLongestTag) return told;
  const bool leads = tag != std::string_view::npos && tag - begin <= 2 * kLongestTag;
  Known& known = known_[slot];
  known.begin = html.data() + begin;
  known.tag_bytes = static_cast<std::uint32_t>(size);
  known.reach = static_cast<std::uint32_t>(leads ? tag + 2 - begin : size);
  known.has_next = leads;
  known.told = told;
  return told;
}

}  // namespace labfactory
