// Where the part under way is written; kept in registers while a row runs.
// Owner: borrows the cursors of a chunk.
// Threads: one belongs to one machine.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/escape_entity.hpp"

namespace labfactory {

// Two short texts may be written before somebody asks whether they fit.
static_assert(kPartSlack >= 2 * kShortText);
static_assert(kPartSlack >= kWideSlack && kLiteralSlack >= kWideSlack);
static_assert(kPartSlack >= kEscapeSlack);

// A text of up to 12 bytes with entities where bytes are marked.
[[gnu::noinline]] inline char* write_marked(char* out, const char* text, std::size_t size,
                                            std::uint32_t marked) {
  std::size_t from = 0;
  while (marked != 0) {
    const auto at = static_cast<std::size_t>(std::countr_zero(marked));
    for (; from < at; ++from) *out++ = text[from];
    const auto& entity = escape_detail::kEntityTable.at[static_cast<unsigned char>(text[from++])];
    std::memcpy(out, entity.text, sizeof entity.text);
    out += entity.size;
    marked &= marked - 1;
  }
  for (; from < size; ++from) *out++ = text[from];
  return out;
}

class TapeOutput {
 public:
  TapeOutput(PartCursor* part, PaddedCopy copy)
      : part_(part), at_(part->at), limit_(part->limit), copy_(copy) {}

  void leave() { part_->at = at_; }
  void enter(PartCursor* part) {
    leave();
    resume(part);
  }
  // Goes on at a cursor that stands where it should, as the one under way does already.
  void resume(PartCursor* part) {
    part_ = part;
    at_ = part->at;
    limit_ = part->limit;
  }
  [[nodiscard]] PartCursor* part() const { return part_; }
  [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(limit_ - at_); }
  [[nodiscard]] char* at() const { return at_; }
  [[nodiscard]] const char* limit() const { return limit_; }
  // Goes on where somebody else wrote to; at most the slack behind the limit, where nothing may follow.
  void set(char* at) { at_ = at; }

  // A literal and a text that is ready, or a literal as well.
  [[gnu::always_inline]] bool long_texts(const char* literal, std::size_t literal_bytes, const char* text,
                                         std::size_t size, bool is_literal) {
    if (literal_bytes + size > room()) return false;
    lead(literal, literal_bytes);
    if (is_literal || size < kShortText) {
      lead(text, size);
    } else {
      copy_bytes(at_, text, size);
      at_ += size;
    }
    return true;
  }

  [[gnu::always_inline]] bool literal(const char* text, std::size_t size) {
    if (size > room()) return false;
    lead(text, size);
    return true;
  }

  // A step's literal before a text; no, and nothing that counts is written, where there is no room.
  [[gnu::always_inline]] bool lead_text(const char* literal, std::size_t literal_bytes, std::string_view text,
                                        bool is_escaped, EscapeWriter escape) {
    const std::size_t bound = is_escaped ? escaped_bound(text.size()) - kEscapeSlack : text.size();
    if (literal_bytes + bound > room()) return false;
    lead(literal, literal_bytes);
    if (!is_escaped) {
      copy_bytes(at_, text.data(), text.size());
      at_ += text.size();
    } else if (text.size() <= kMostUnescaped && copy_unescaped(at_, text.data(), text.size())) {
      at_ += text.size();
    } else {
      at_ = escape(at_, text);
    }
    return true;
  }
  // The same of up to 12 bytes that lie in a view, with its size before them.
  [[gnu::always_inline]] bool lead_inlined(const char* literal, std::size_t literal_bytes, const char* view,
                                           std::size_t size, bool is_escaped) {
    // Room for the case that every byte becomes an entity; the longest has five.
    if (literal_bytes + 5 * size > room()) return false;
    lead(literal, literal_bytes);
    std::uint64_t halves[2] = {0, 0};
    std::memcpy(&halves[0], view + 4, 8);
    std::memcpy(&halves[1], view + 12, 4);
    Bytes16 bytes;
    std::memcpy(&bytes, halves, sizeof bytes);
    store16(at_, bytes);
    const std::uint32_t marked = is_escaped ? mask16(marks16(bytes)) & ((1U << size) - 1) : 0;
    at_ = marked == 0 ? at_ + size : write_marked(at_, view + 4, size, marked);
    return true;
  }

  [[gnu::always_inline]] bool text(std::string_view text) {
    if (text.size() > room()) return false;
    copy_bytes(at_, text.data(), text.size());
    at_ += text.size();
    return true;
  }

  [[gnu::always_inline]] bool escaped(std::string_view text, EscapeWriter escape) {
    // The bound is five times the text; only near the end is the exact size worth a pass.
    if (escaped_bound(text.size()) - kEscapeSlack > room() && escaped_size(text) > room()) return false;
    at_ = escape(at_, text);
    return true;
  }

  // What was written at at() ends there; false when that is behind the limit.
  [[gnu::always_inline]] bool advance(char* end) {
    if (end > limit_) return false;
    at_ = end;
    return true;
  }

 private:
  // A literal where there is room for it.
  [[gnu::always_inline]] void lead(const char* literal, std::size_t size) {
    if (size <= kShortText) {
      copy_short_text(at_, literal);
    } else {
      copy_(at_, literal, size);
    }
    at_ += size;
  }

  PartCursor* part_;
  char* at_;
  char* limit_;
  PaddedCopy copy_;
};

}  // namespace labfactory
