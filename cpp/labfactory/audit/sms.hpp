// How many messages an SMS becomes on the air: GSM 7-bit where its alphabet suffices, else UCS-2.
// Owner: nothing; texts are read in place.
// Threads: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace labfactory {

enum class SmsEncoding : std::uint8_t { gsm7, ucs2 };

struct SmsSize {
  SmsEncoding encoding = SmsEncoding::gsm7;
  std::int64_t units = 0;  // septets of GSM 7-bit, or UTF-16 code units
  std::int64_t segments = 1;
};

// Of UTF-8. An empty text is one empty message; characters of two units are never torn apart.
[[nodiscard]] SmsSize sms_size(std::string_view text);

}  // namespace labfactory
