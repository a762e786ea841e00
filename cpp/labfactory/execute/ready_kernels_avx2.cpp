#include "labfactory/execute/ready_kernels.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "labfactory/values/escape_entity.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// The five characters differ in their low nibble: see values/escape_avx2.cpp.
std::uint32_t special_mask(const char* text) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 0, '"', 0, 0, 0, '&', '\'', 0, 0, 0, 0, '<', 0, '>', 0));
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)));
}

void copy_short(char* to, const char* from) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

#include "labfactory/execute/ready_kernels.inc"

// Four offsets.
template <class Offset>
__m256i load_offsets(const char* offsets) {
  const auto* const at = reinterpret_cast<const __m128i*>(offsets);
  if constexpr (sizeof(Offset) == 4) return _mm256_cvtepi32_epi64(_mm_loadu_si128(at));
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

void store_piece(Piece& piece, __m128i text_and_size) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&piece), text_and_size);
}

// Four pieces; gives their sizes.
template <class Offset>
[[gnu::always_inline]] inline __m256i put_pieces(const Texts<Offset>& texts, std::int64_t i,
                                                 const Pieces& out) {
  const char* const at = texts.offsets + i * static_cast<std::int64_t>(sizeof(Offset));
  const __m256i begins = load_offsets<Offset>(at);
  const __m256i sizes = _mm256_sub_epi64(load_offsets<Offset>(at + sizeof(Offset)), begins);
  const __m256i values =
      _mm256_set1_epi64x(static_cast<long long>(reinterpret_cast<std::uintptr_t>(texts.values)));
  const __m256i from = _mm256_add_epi64(values, begins);
  const __m256i even = _mm256_unpacklo_epi64(from, sizes);
  const __m256i odd = _mm256_unpackhi_epi64(from, sizes);
  store_piece(out[i], _mm256_castsi256_si128(even));
  store_piece(out[i + 1], _mm256_castsi256_si128(odd));
  store_piece(out[i + 2], _mm256_extracti128_si256(even, 1));
  store_piece(out[i + 3], _mm256_extracti128_si256(odd, 1));
  return sizes;
}

[[gnu::always_inline]] inline std::uint64_t longer_than(std::size_t size, __m256i sizes) {
  const __m256i is_longer = _mm256_cmpgt_epi64(sizes, _mm256_set1_epi64x(static_cast<long long>(size)));
  return static_cast<std::uint64_t>(_mm256_movemask_pd(_mm256_castsi256_pd(is_longer)));
}

// Eight texts at a time: marks are found text by text, all else in all lanes at once.
template <bool IsEscaped, class Offset>
void look(const Texts<Offset>& texts, std::int64_t begin, std::int64_t end, const Pieces& out, Strip& strip) {
  constexpr std::size_t kLongest = (IsEscaped ? kShortText : kNotReady) - 1;
  const std::int64_t last = begin + (end - begin) / 8 * 8;
  if constexpr (IsEscaped) {
    for (std::int64_t i = begin; i < last; ++i) strip.marks[i] = special_mask(texts.values + texts.offset(i));
  }
  for (std::int64_t i = begin; i < last; i += 8) {
    const __m256i low = put_pieces(texts, i, out);
    const __m256i high = put_pieces(texts, i + 4, out);
    strip.odd |= (longer_than(kLongest, low) | longer_than(kLongest, high) << 4) << i;
    if constexpr (IsEscaped) {
      // Of a text that is not short any size does.
      const __m256i halves =
          _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88));
      const __m256i sizes = _mm256_permute4x64_epi64(halves, 0xd8);
      const __m256i ones = _mm256_set1_epi32(-1);
      const __m256i behind = _mm256_sllv_epi32(ones, sizes);
      auto* const at = reinterpret_cast<__m256i*>(strip.marks + i);
      const __m256i marks = _mm256_andnot_si256(behind, _mm256_loadu_si256(at));
      _mm256_storeu_si256(at, marks);
      const __m256i is_plain = _mm256_cmpeq_epi32(marks, _mm256_setzero_si256());
      const auto plain = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(is_plain)));
      strip.marked |= std::uint64_t{plain ^ 0xff} << i;
    }
  }
  look_each<IsEscaped>(texts, last, end, out, strip);
}

// Four numbers at a time: their digits, eight each and zeros in front, are had in all lanes at once, as
// eight_digits() of values/text.cpp has those of one.
constexpr std::int64_t kLanes = 4;
constexpr long long kMostDigits = 99'999'999;

__m256i digits_of(__m256i numbers) {
  // The factor stands for division by 10,000 of a number of 32 bits.
  const __m256i high = _mm256_srli_epi64(_mm256_mul_epu32(numbers, _mm256_set1_epi64x(0xd1b71759)), 45);
  const __m256i low = _mm256_sub_epi64(numbers, _mm256_mul_epu32(high, _mm256_set1_epi64x(10000)));
  const __m256i halves = _mm256_or_si256(high, _mm256_slli_epi64(low, 32));
  const __m256i hundreds = _mm256_srli_epi32(_mm256_mullo_epi32(halves, _mm256_set1_epi32(10486)), 20);
  const __m256i rest = _mm256_sub_epi32(halves, _mm256_mullo_epi32(hundreds, _mm256_set1_epi32(100)));
  const __m256i pairs = _mm256_or_si256(hundreds, _mm256_slli_epi32(rest, 16));
  const __m256i tens = _mm256_srli_epi16(_mm256_mullo_epi16(pairs, _mm256_set1_epi16(103)), 10);
  const __m256i ones = _mm256_sub_epi16(pairs, _mm256_mullo_epi16(tens, _mm256_set1_epi16(10)));
  return _mm256_or_si256(tens, _mm256_slli_epi16(ones, 8));
}

// Zeros in front of the digits of four numbers; at least the `kept` last digits of each are none.
class ZerosBefore {
 public:
  ZerosBefore(__m256i digits, int kept) {
    const __m256i is_zero = _mm256_cmpeq_epi8(digits, _mm256_setzero_si256());
    others_ = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(is_zero)) | 0x01010101U << (8 - kept);
  }
  [[nodiscard]] std::uint32_t of(std::int64_t lane) const {
    return static_cast<std::uint32_t>(__builtin_ctz(others_ >> (8 * lane)));
  }

 private:
  std::uint32_t others_;  // a bit for each digit
};

char* number_at(char* digits, std::int64_t lane) {
  return digits + lane * static_cast<std::int64_t>(kNumberBytes);
}

void store_low(char* to, __m128i pair) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), pair);
}

void store_high(char* to, __m128i pair) {
  _mm_storeh_pd(reinterpret_cast<double*>(to), _mm_castsi128_pd(pair));
}

void make_integers(const Reader& reader, int /*precision*/, std::int64_t first, std::int64_t count,
                   char* digits, const Pieces& out) {
  std::int64_t i = 0;
  for (; i + kLanes <= count && reader.validity == nullptr; i += kLanes, digits += kLanes * kNumberBytes) {
    const __m256i numbers =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(reader.values + (first + i) * 8));
    const __m256i is_other = _mm256_or_si256(_mm256_cmpgt_epi64(numbers, _mm256_set1_epi64x(kMostDigits)),
                                             _mm256_cmpgt_epi64(_mm256_setzero_si256(), numbers));
    if (_mm256_testz_si256(is_other, is_other) == 0) {
      for (std::int64_t k = 0; k < kLanes; ++k)
        make_integer(reader, first + i + k, number_at(digits, k), out[i + k]);
      continue;
    }
    const __m256i words = digits_of(numbers);
    const __m256i ascii = _mm256_or_si256(words, _mm256_set1_epi8('0'));
    const ZerosBefore zeros(words, 1);
    store_low(digits, _mm256_castsi256_si128(ascii));
    store_high(number_at(digits, 1), _mm256_castsi256_si128(ascii));
    store_low(number_at(digits, 2), _mm256_extracti128_si256(ascii, 1));
    store_high(number_at(digits, 3), _mm256_extracti128_si256(ascii, 1));
    for (std::int64_t k = 0; k < kLanes; ++k) {
      const std::uint32_t skipped = zeros.of(k);
      out[i + k] = {number_at(digits, k) + skipped, 8 - skipped};
    }
  }
  for (; i < count; ++i, digits += kNumberBytes) make_integer(reader, first + i, digits, out[i]);
}

// |number| * 10^precision as a whole number with ties to even, where the product and its rounding are surely
// those of the exact value: the error of the product is far less than what is left to a tie. False where a
// lane is in doubt.
bool scale(__m256d numbers, double power, __m256i& out) {
  const __m256d magnitude = _mm256_andnot_pd(_mm256_set1_pd(-0.0), numbers);
  const __m256d product = _mm256_mul_pd(magnitude, _mm256_set1_pd(power));
  const __m256d whole = _mm256_round_pd(product, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256d rest = _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(product, whole));
  const __m256d is_sure =
      _mm256_and_pd(_mm256_cmp_pd(rest, _mm256_set1_pd(0.499999), _CMP_LT_OQ),
                    _mm256_cmp_pd(whole, _mm256_set1_pd(static_cast<double>(kMostDigits)), _CMP_LE_OQ));
  // Below 2^52 a double plus 2^52 has its whole part in its last bits.
  const __m256d shifted = _mm256_add_pd(whole, _mm256_set1_pd(4503599627370496.0));
  out = _mm256_and_si256(_mm256_castpd_si256(shifted), _mm256_set1_epi64x((1LL << 52) - 1));
  return _mm256_movemask_pd(is_sure) == 0xf;
}

// Puts a point into the digits of four numbers.
class Point {
 public:
  explicit Point(int precision) {
    const __m256i place =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m256i point = _mm256_set1_epi8(static_cast<char>(8 - precision));
    const __m256i is_point = _mm256_cmpeq_epi8(place, point);
    const __m256i is_behind = _mm256_cmpgt_epi8(place, point);
    point_ = _mm256_and_si256(is_point, _mm256_set1_epi8('.'));
    // A place whose highest bit is set becomes zero.
    even_ = _mm256_or_si256(_mm256_add_epi8(place, is_behind),
                            _mm256_and_si256(is_point, _mm256_set1_epi8(-128)));
    odd_ = _mm256_add_epi8(even_, _mm256_set1_epi8(8));
  }
  // Nine bytes each of the numbers 0 and 2, and of 1 and 3.
  [[nodiscard]] __m256i even(__m256i ascii) const {
    return _mm256_or_si256(_mm256_shuffle_epi8(ascii, even_), point_);
  }
  [[nodiscard]] __m256i odd(__m256i ascii) const {
    return _mm256_or_si256(_mm256_shuffle_epi8(ascii, odd_), point_);
  }

 private:
  __m256i even_;
  __m256i odd_;
  __m256i point_;
};

void store_halves(char* first, char* second, __m256i bytes) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm256_castsi256_si128(bytes));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(second), _mm256_extracti128_si256(bytes, 1));
}

void put_sign(Piece& piece, char* digits) {
  char* const at = digits + (piece.text - digits) - 1;
  *at = '-';
  piece = {at, piece.size + 1};
}

void make_fixed(const Reader& reader, int precision, std::int64_t first, std::int64_t count, char* digits,
                const Pieces& out) {
  constexpr double kPowers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6};
  constexpr int kMostPrecision = 6;
  std::int64_t i = 0;
  const bool is_usual = reader.validity == nullptr && precision > 0 && precision <= kMostPrecision;
  const Point point(precision);
  for (; i + kLanes <= count && is_usual; i += kLanes, digits += kLanes * kNumberBytes) {
    const __m256d numbers = _mm256_loadu_pd(reinterpret_cast<const double*>(reader.values + (first + i) * 8));
    __m256i scaled;
    if (!scale(numbers, kPowers[precision], scaled)) {
      for (std::int64_t k = 0; k < kLanes; ++k)
        make_fixed_one(reader, precision, first + i + k, number_at(digits, k), out[i + k]);
      continue;
    }
    const __m256i words = digits_of(scaled);
    const __m256i ascii = _mm256_or_si256(words, _mm256_set1_epi8('0'));
    const ZerosBefore zeros(words, precision + 1);
    // A sign may stand before the digits.
    store_halves(number_at(digits, 0) + 1, number_at(digits, 2) + 1, point.even(ascii));
    store_halves(number_at(digits, 1) + 1, number_at(digits, 3) + 1, point.odd(ascii));
    for (std::int64_t k = 0; k < kLanes; ++k) {
      const std::uint32_t skipped = zeros.of(k);
      out[i + k] = {number_at(digits, k) + 1 + skipped, 9 - skipped};
    }
    const int signs = _mm256_movemask_pd(numbers);
    for (std::int64_t k = 0; signs != 0 && k < kLanes; ++k) {
      if ((signs >> k & 1) != 0) put_sign(out[i + k], number_at(digits, k));
    }
  }
  for (; i < count; ++i, digits += kNumberBytes) make_fixed_one(reader, precision, first + i, digits, out[i]);
}

}  // namespace

const ReadyKernels& ready_kernels_avx2() {
  static constexpr ReadyKernels kKernels = {make_texts<std::int32_t>, make_texts<std::int64_t>, make_views,
                                            make_integers, make_fixed};
  return kKernels;
}

}  // namespace labfactory

#endif
