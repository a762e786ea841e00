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
    return find_special(_mm_set_epi64x(static_cast<long long>(tail), static_cast<long long>(head)), table) !=
           0;
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
  return find_special(_mm_cvtsi32_si128(byte(first) | byte(middle) << 8 | byte(last) << 16), table) != 0;
}

// Escapes fewer than 32 bytes that hold a special one, from a copy that may be read 32 bytes at a time.
char* write_short(char* out, const char* in, std::size_t n, __m256i table) {
  char padded[64] = {};
  std::memcpy(padded, in, n);
  const char* at = padded;
  const char* const end = padded + n;
  for (;;) {
    const __m256i bytes = load_whole(at);
    store_whole(out, bytes);
    const std::uint32_t found = find_special(bytes, table);
    if (found == 0) return out + (end - at);
    const std::uint32_t clean = static_cast<std::uint32_t>(__builtin_ctz(found));
    at += clean;
    out = write_entity(out + clean, *at++);
  }
}

}  // namespace

char* write_escaped_avx2(char* out, std::string_view text) {
  const __m128i table = special_table();
  const __m256i wide_table = _mm256_broadcastsi128_si256(table);
  const char* in = text.data();
  std::size_t left = text.size();
  while (left >= 32) {
    const __m256i bytes = load_whole(in);
    store_whole(out, bytes);
    const std::uint32_t found = find_special(bytes, wide_table);
    if (found == 0) {
      in += 32;
      out += 32;
      left -= 32;
      continue;
    }
    const std::uint32_t clean = static_cast<std::uint32_t>(__builtin_ctz(found));
    in += clean;
    out = write_entity(out + clean, *in++);
    left -= clean + 1;
  }
  if (!copy_short(out, in, left, table)) return out + left;
  return write_short(out, in, left, wide_table);
}

}  // namespace labfactory

#endif
