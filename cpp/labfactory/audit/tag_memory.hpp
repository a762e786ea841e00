// Texts whose tags were read, so that others need not be read where they say the same: assets of one template
// repeat each other, and two texts are compared at the speed of memory.
// Owner: views of texts, which have to outlive the memory.
// Threads: a memory belongs to one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "labfactory/audit/link_rules.hpp"

namespace labfactory {

// How many bytes two texts begin with alike.
[[nodiscard]] std::size_t common_prefix(std::string_view a, std::string_view b);

// A text cut where its reader stood, and what the links of each piece tell.
class ReadText {
 public:
  ReadText(std::string_view html, const LinkRules& rules);

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::size_t pieces() const { return pieces_.size(); }
  [[nodiscard]] std::size_t start(std::size_t piece) const { return pieces_[piece].start; }
  [[nodiscard]] TagReader::Place place(std::size_t piece) const { return pieces_[piece].place; }

  // The last piece that begins in a text alike up to an offset as it does in this one.
  [[nodiscard]] std::size_t piece_before(std::size_t offset) const;
  // What the pieces from one up to another tell, that one not included.
  [[nodiscard]] ToldRules told(std::size_t first, std::size_t last) const;

 private:
  struct Piece {
    std::uint32_t start = 0;
    std::uint32_t settled = 0;       // the bytes up to here decide that it begins there
    std::uint32_t next_telling = 0;  // the first piece from here on that tells something
    ToldRules told = 0;
    TagReader::Place place = TagReader::Place::outside;
  };
  // A tag of an e-mail has 60 bytes and four pieces or so.
  static constexpr std::size_t kStretch = 16;

  std::string_view text_;
  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> stretches_;  // the piece at the start of each kStretch bytes
};

class TagMemory {
 public:
  // The rules have to outlive it.
  explicit TagMemory(const LinkRules& rules) : rules_(&rules) {}

  // What the links of a text tell; the same as rules.read_text(html). Keeps views of the text.
  [[nodiscard]] ToldRules read(std::string_view html);

 private:
  // A template's branches and components: what more texts would add is read piece by piece.
  static constexpr std::size_t kMostTexts = 8;
  static constexpr unsigned kSlotBits = 10;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

  // A piece of a known text.
  struct Position {
    std::uint32_t text = 0;
    std::uint32_t piece = 0;
  };
  // One tag start of a known text by the bytes that follow it; piece 0 is no tag.
  [[nodiscard]] Position& slot_of(std::string_view tag);
  void keep(std::string_view html);
  // How many bytes a text goes on alike from a position of a known one.
  [[nodiscard]] std::size_t alike_from(Position position, std::string_view rest) const;

  const LinkRules* rules_;
  std::vector<ReadText> known_;
  std::array<Position, kSlots> tags_{};
};

}  // namespace labfactory
