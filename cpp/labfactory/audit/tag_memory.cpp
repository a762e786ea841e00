#include "labfactory/audit/tag_memory.hpp"

#include <algorithm>
#include <limits>

#include "labfactory/base/byte_block.hpp"

namespace labfactory {

namespace {

using Place = TagReader::Place;

// The bytes of a piece that decide that it begins: "<" and a letter, or the one that ended what stands
// before.
constexpr std::uint32_t settling_bytes(Place place) {
  return place == Place::at_tag ? 2 : 1;
}
// Bytes from the beginning of a tag by which it is found again: enough to tell most tags from each other.
constexpr std::size_t kKeyBytes = 32;
// A text is kept when more than one piece in so many had to be read.
constexpr std::size_t kFewPieces = 6;

}  // namespace

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + kBlockBytes <= most; at += kBlockBytes) {
    const ByteBlock differs = ~is_equal(load_block(a.data() + at), load_block(b.data() + at));
    if (any_set(differs)) return at + first_set(differs);
  }
  while (at < most && a[at] == b[at]) ++at;
  return at;
}

ReadText::ReadText(std::string_view html, const LinkRules& rules) : text_(html) {
  Link link;
  for (TagReader reader(html); !reader.has_ended();) {
    const auto start = static_cast<std::uint32_t>(reader.at());
    Piece piece{start, start + settling_bytes(reader.place()), 0, 0, reader.place()};
    if (reader.read(&link)) piece.told = rules.read_link(link);
    pieces_.push_back(piece);
  }
  auto telling = static_cast<std::uint32_t>(pieces_.size());
  for (std::size_t i = pieces_.size(); i-- > 0;) {
    if (pieces_[i].told != 0) telling = static_cast<std::uint32_t>(i);
    pieces_[i].next_telling = telling;
  }
  std::uint32_t piece = 0;
  for (std::size_t offset = 0; offset <= html.size(); offset += kStretch) {
    while (piece + 1 < pieces_.size() && pieces_[piece + 1].settled <= offset) ++piece;
    stretches_.push_back(piece);
  }
}

std::size_t ReadText::piece_before(std::size_t offset) const {
  std::size_t piece = stretches_[offset / kStretch];
  while (piece + 1 < pieces_.size() && pieces_[piece + 1].settled <= offset) ++piece;
  return piece;
}

ToldRules ReadText::told(std::size_t first, std::size_t last) const {
  ToldRules told = 0;
  for (std::size_t i = pieces_[first].next_telling; i < last; i = pieces_[i + 1].next_telling)
    told |= pieces_[i].told;
  return told;
}

ToldRules TagMemory::read(std::string_view html) {
  // Offsets of known texts have 32 bits.
  if (html.size() > std::numeric_limits<std::uint32_t>::max()) return rules_->read_text(html);
  if (known_.empty()) keep(html);
  ToldRules told = 0;
  std::size_t pieces_read = 0;
  Position same;  // where a known text goes on as this one did so far
  bool is_lost = false;
  Link link;
  TagReader reader(html);
  while (!reader.has_ended()) {
    const std::string_view rest = html.substr(reader.at());
    std::size_t alike = is_lost ? 0 : alike_from(same, rest);
    if (reader.place() == Place::at_tag && alike < kKeyBytes && rest.size() >= kKeyBytes) {
      if (const Position found = slot_of(rest); found.piece != 0) {
        same = found;
        is_lost = false;
        alike = alike_from(same, rest);
      }
    }
    if (!is_lost) {
      const ReadText& known = known_[same.text];
      const std::size_t start = known.start(same.piece);
      const std::size_t last = std::max<std::size_t>(known.piece_before(start + alike), same.piece);
      told |= known.told(same.piece, last);
      std::size_t at = reader.at() + known.start(last) - start;
      // No tag begins in text that is alike, but perhaps with its last byte.
      if (known.place(last) == Place::outside && alike > 0) at = std::max(at, reader.at() + alike - 1);
      reader = TagReader(html, at, known.place(last));
      same.piece = static_cast<std::uint32_t>(last);
    }
    if (reader.read(&link)) told |= rules_->read_link(link);
    ++pieces_read;
    ++same.piece;
    is_lost = is_lost || same.piece >= known_[same.text].pieces() ||
              known_[same.text].place(same.piece) != reader.place();
  }
  if (known_.size() < kMostTexts && pieces_read * kFewPieces > known_.front().pieces()) keep(html);
  return told;
}

std::size_t TagMemory::alike_from(Position position, std::string_view rest) const {
  const ReadText& known = known_[position.text];
  return common_prefix(rest, known.text().substr(known.start(position.piece)));
}

TagMemory::Position& TagMemory::slot_of(std::string_view tag) {
  constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15;
  constexpr std::uint64_t kSecond = 0xc2b2ae3d27d4eb4f;
  const char* const at = tag.data();
  const std::uint64_t mixed = load_word<std::uint64_t>(at) * kFirst ^
                              std::rotl(load_word<std::uint64_t>(at + 8) * kSecond, 17) ^
                              std::rotl(load_word<std::uint64_t>(at + 16) * kFirst, 31) ^
                              std::rotl(load_word<std::uint64_t>(at + 24) * kSecond, 47);
  return tags_[(mixed ^ mixed >> 29) * kFirst >> (64 - kSlotBits)];
}

void TagMemory::keep(std::string_view html) {
  const auto number = static_cast<std::uint32_t>(known_.size());
  const ReadText& text = known_.emplace_back(html, *rules_);
  for (std::size_t i = 0; i < text.pieces(); ++i) {
    if (text.place(i) != Place::at_tag || html.size() - text.start(i) < kKeyBytes) continue;
    Position& slot = slot_of(html.substr(text.start(i)));
    if (slot.piece == 0) slot = {number, static_cast<std::uint32_t>(i)};
  }
}

}  // namespace labfactory
