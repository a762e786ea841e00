#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "labfactory/values/escape.hpp"
#include "labfactory/values/escape_entity.hpp"

namespace labfactory {

namespace {

// The five characters differ in their low nibble, so a byte is special when the table holds it at its own low
// nibble. Entry 0 is 1, which has another nibble: the byte 0 must not match an empty entry.
__m128i special_table() {
  return _mm_setr_epi8(1, 0, '"', 0, 0, 0, '&', '\'', 0, 0, 0, 0, '<', 0, '>', 0);
}

std::uint32_t find_special(__m256i bytes, __m256i table) {
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)));
}

std::uint32_t find_special(__m128i bytes, __m128i table) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_shuffle_epi8(table, bytes), bytes)));
}

char* write_entity(char* out, char c) {
  const escape_detail::Entity& entity = escape_detail::kEntityTable.at[static_cast<unsigned char>(c)];
  std::memcpy(out, &entity, sizeof entity);
  return out + entity.size;
}

__m128i load_half(const char* in) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
}

__m256i load_whole(const char* in) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
}

void store_whole(char* out, __m256i bytes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
}

template <typename Word>
Word load(const char* in) {
  Word word;
  std::memcpy(&word, in, sizeof word);
  return word;
}

template <typename Word>
void store(char* out, Word word) {
  std::memcpy(out, &word, sizeof word);
}

// Copies fewer than 32 bytes through overlapping words, none of which leaves the input; true when one is
// special.
bool copy_short(char* out, const char* in, std::size_t n, __m128i table) {
  if (n >= 16) {
    const __m128i head = load_half(in);
    const __m128i tail = load_half(in + n - 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), head);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + n - 16), tail);
    return (find_special(head, table) | find_special(tail, table)) != 0;
  }
  if (n >= 8) {
    const auto head = load<std::uint64_t>(in);
    const auto tail = load<std::uint64_t>(in + n - 8);
    store(out, head);
    store(out + n - 8, tail);
    const __m128i both = _mm_set_epi64x(static_cast<long long>(tail), static_cast<long long>(head));
    return find_special(both, table) != 0;
  }
  if (n >= 4) {
    const auto head = load<std::uint32_t>(in);
    const auto tail = load<std::uint32_t>(in + n - 4);
    store(out, head);
    store(out + n - 4, tail);
    const std::uint64_t both = std::uint64_t{tail} << 32 | head;
    return find_special(_mm_cvtsi64_si128(static_cast<long long>(both)), table) != 0;
  }
  if (n == 0) return false;
  // first, middle and last are all of three, two or one
  const char first = in[0];
  const char middle = in[n / 2];
  const char last = in[n - 1];
  out[0] = first;
  out[n / 2] = middle;
  out[n - 1] = last;
  const auto byte = [](char c) { return static_cast<int>(static_cast<unsigned char>(c)); };
  const __m128i all = _mm_cvtsi32_si128(byte(first) | byte(middle) << 8 | byte(last) << 16);
  return find_special(all, table) != 0;
}

// Writes n bytes of which at least one is special. Reads up to 32 bytes past each special one; what stands
// before the first is in place already.
char* write_found(char* out, const char* in, std::size_t n, std::uint32_t found) {
  std::size_t from = 0;
  do {
    const auto at = static_cast<std::size_t>(__builtin_ctz(found));
    out = write_entity(out + (at - from), in[at]);
    from = at + 1;
    store_whole(out, load_whole(in + from));
    found &= found - 1;
  } while (found != 0);
  return out + (n - from);
}

// The same for the last bytes of the input, at most 32 and copied to `out` already: reads a copy that goes
// on. Not inlined, so that clean text does not pay for its stack.
[[gnu::noinline]] char* write_last(char* out, const char* in, std::size_t n, __m128i table) {
  char padded[64] = {};
  std::memcpy(padded, in, n);
  return write_found(out, padded, n, find_special(load_whole(padded), _mm256_broadcastsi128_si256(table)));
}

// At most 31 bytes.
char* write_short(char* out, const char* in, std::size_t n, __m128i table) {
  return copy_short(out, in, n, table) ? write_last(out, in, n, table) : out + n;
}

// Not inlined for the same reason: most text that is escaped is short.
[[gnu::noinline]] char* write_long(char* out, const char* in, std::size_t left, __m128i table) {
  const __m256i wide_table = _mm256_broadcastsi128_si256(table);
  // A block of special bytes reads up to 32 bytes past itself, so the last whole block goes by way of a copy.
  for (; left >= 64; in += 32, left -= 32) {
    const __m256i bytes = load_whole(in);
    store_whole(out, bytes);
    const std::uint32_t found = find_special(bytes, wide_table);
    out = found == 0 ? out + 32 : write_found(out, in, 32, found);
  }
  if (left >= 32) {
    const __m256i bytes = load_whole(in);
    store_whole(out, bytes);
    out = find_special(bytes, wide_table) == 0 ? out + 32 : write_last(out, in, 32, table);
    in += 32;
    left -= 32;
  }
  return write_short(out, in, left, table);
}

}  // namespace

char* write_escaped_avx2(char* out, std::string_view text) {
  const __m128i table = special_table();
  if (text.size() < 32) return write_short(out, text.data(), text.size(), table);
  return write_long(out, text.data(), text.size(), table);
}

}  // namespace labfactory

#endif
