#include "labfactory/execute/ready_run.hpp"

#include <algorithm>
#include <string_view>

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_run.inc"

// The text behind a literal, and the literal.
void store_led(char* to, const char* text, const char* lead) {
  for (std::size_t half = 0; half < kShortText; half += sizeof(Bytes16)) {
    const Bytes16 literal = load16(lead + half);
    store16(to + half, (load16(text + half) & static_cast<Bytes16>(literal == 0)) | literal);
  }
}

#include "labfactory/execute/straight_rows.inc"

}  // namespace

StraightPart::StraightPart(const RunPart& part) : run(part) {
  const std::string_view literal(part.literal, part.literal_bytes);
  is_led = literal.size() < kShortText && literal.find('\0') == literal.npos;
  if (is_led) std::copy(literal.begin(), literal.end(), lead);
}

WrittenRows write_rows_plain(StraightRows& straight, std::int64_t first, std::int64_t last,
                             const RowSpace& space) {
  return write_straight(straight, first, last, space);
}

WriteRows write_rows() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return write_rows_avx2;
#endif
  return write_rows_plain;
}

}  // namespace labfactory
