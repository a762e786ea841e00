#include "labfactory/values/escape.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/values/escape_entity.hpp"

namespace labfactory {

namespace {

using escape_detail::Entity;
using escape_detail::kEntities;
using escape_detail::kEntityTable;

// The scan finds the first byte of a word by its lowest bits.
static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t repeat(unsigned char byte) {
  return std::uint64_t{0x0101010101010101} * byte;
}

// The lowest set bit is the high bit of the first byte of the word that is zero.
constexpr std::uint64_t find_zero(std::uint64_t word) {
  return (word - repeat(0x01)) & ~word & repeat(0x80);
}

// The lowest set bit is the high bit of the first byte that is escaped: & and ' differ in bit 0 alone, < and
// > in bit 1.
constexpr std::uint64_t find_special(std::uint64_t word) {
  return find_zero(word ^ repeat('"')) | find_zero((word | repeat(1)) ^ repeat('\'')) |
         find_zero((word | repeat(2)) ^ repeat('>'));
}

const Entity* entity_of(char c) {
  const auto code = static_cast<unsigned char>(c);
  return code < kEntities && kEntityTable.at[code].size != 0 ? &kEntityTable.at[code] : nullptr;
}

char* write_entity(char* out, const Entity& entity) {
  std::memcpy(out, &entity, sizeof entity);
  return out + entity.size;
}

}  // namespace

char* write_escaped_plain(char* out, std::string_view text) {
  const char* in = text.data();
  const char* const end = in + text.size();
  while (end - in >= 8) {
    std::uint64_t word;
    std::memcpy(&word, in, 8);
    std::memcpy(out, &word, 8);
    const std::uint64_t found = find_special(word);
    const int clean = found == 0 ? 8 : std::countr_zero(found) / 8;
    in += clean;
    out += clean;
    if (found != 0) out = write_entity(out, *entity_of(*in++));
  }
  const auto left = static_cast<std::size_t>(end - in);
  if (left >= 4) {
    std::uint32_t head;
    std::uint32_t tail;
    std::memcpy(&head, in, 4);
    std::memcpy(&tail, end - 4, 4);
    std::memcpy(out, &head, 4);
    std::memcpy(out + left - 4, &tail, 4);
    if (find_special(std::uint64_t{tail} << 32 | head) == 0) return out + left;
  }
  for (; in != end; ++in) {
    if (const Entity* entity = entity_of(*in)) {
      out = write_entity(out, *entity);
    } else {
      *out++ = *in;
    }
  }
  return out;
}

EscapeWriter escape_writer() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return write_escaped_avx2;
#endif
  return write_escaped_plain;
}

char* write_escaped(char* out, std::string_view text) {
  return escape_writer()(out, text);
}

std::size_t escaped_size(std::string_view text) {
  std::size_t size = text.size();
  for (const char c : text) {
    if (const Entity* entity = entity_of(c)) size += entity->size - std::size_t{1};
  }
  return size;
}

std::string_view escape_text(std::string_view text, Arena& arena) {
  const std::size_t size = escaped_size(text);
  if (size == text.size()) return text;
  char* const begin = arena.allocate(size + kEscapeSlack);
  write_escaped(begin, text);
  return {begin, size};
}

}  // namespace labfactory
