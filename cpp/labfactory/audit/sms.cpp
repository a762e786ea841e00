#include "labfactory/audit/sms.hpp"

#include <array>

#include "labfactory/audit/characters.hpp"

namespace labfactory {

namespace {

// 3GPP TS 23.038, sections 6.1.2.1 and 6.1.2.2: messages of 140 octets; a joined one gives 6 to its header.
constexpr std::int64_t kSeptets = 160, kJoinedSeptets = 153;
constexpr std::int64_t kUnits = 70, kJoinedUnits = 67;

// 3GPP TS 23.038, section 6.2.1, in its order without the escape; €, of the extension table, is U+20AC.
constexpr std::u32string_view kAlphabet =
    U"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    U"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
static_assert(kAlphabet.size() == 127);
// Section 6.2.1.1: two septets each, the escape and their own.
constexpr std::u32string_view kExtension = U"\f^{}\\[~]|";
constexpr char32_t kEuro = U'€';

// Septets by code point, 0 for what the alphabet lacks; Greek ends below U+0400.
constexpr std::array<std::uint8_t, 0x400> kSeptetsOf = [] {
  std::array<std::uint8_t, 0x400> septets{};
  for (const char32_t c : kAlphabet) septets[c] = 1;
  for (const char32_t c : kExtension) septets[c] = 2;
  return septets;
}();

int septets_of(char32_t c) {
  if (c < kSeptetsOf.size()) return kSeptetsOf[c];
  return c == kEuro ? 2 : 0;
}

// Fills messages of `capacity` with characters that may not be torn apart.
struct Segments {
  std::int64_t capacity;
  std::int64_t units = 0;
  std::int64_t joined = 1;
  std::int64_t filled = 0;

  void add(int size) {
    units += size;
    if (filled + size > capacity) {
      ++joined;
      filled = 0;
    }
    filled += size;
  }
  [[nodiscard]] SmsSize size(SmsEncoding encoding, std::int64_t alone) const {
    return {encoding, units, units <= alone ? 1 : joined};
  }
};

}  // namespace

SmsSize sms_size(std::string_view text) {
  Segments septets{kJoinedSeptets};
  bool is_gsm = true;
  for (std::size_t at = 0; at < text.size() && is_gsm;) {
    const int size = septets_of(next_character(text, &at));
    septets.add(size);
    is_gsm = size > 0;
  }
  if (is_gsm) return septets.size(SmsEncoding::gsm7, kSeptets);
  Segments units{kJoinedUnits};
  for (std::size_t at = 0; at < text.size();) units.add(next_character(text, &at) > 0xFFFF ? 2 : 1);
  return units.size(SmsEncoding::ucs2, kUnits);
}

}  // namespace labfactory
