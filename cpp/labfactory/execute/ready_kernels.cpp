#include "labfactory/execute/ready_kernels.hpp"

#include <algorithm>
#include <cstring>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/values/escape_entity.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// Beyond this a text is looked through once, when it is written: a second look costs more than the question.
constexpr std::size_t kMostLookedThrough = 256;

constexpr PaddedText kNone("None");

std::uint32_t special_mask(const char* text) {
  return mask16(marks16(load16(text))) | mask16(marks16(load16(text + 16))) << 16;
}

void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_kernels.inc"

template <bool IsEscaped, class Offset>
void look(const Texts<Offset>& texts, std::int64_t begin, std::int64_t end, const Pieces& out, Strip& strip) {
  look_each<IsEscaped>(texts, begin, end, out, strip);
}

void make_integers(const Reader& reader, int /*precision*/, std::int64_t first, std::int64_t count,
                   char* digits, const Pieces& out) {
  for (std::int64_t i = 0; i < count; ++i, digits += kNumberBytes)
    make_integer(reader, first + i, digits, out[i]);
}

void make_fixed(const Reader& reader, int precision, std::int64_t first, std::int64_t count, char* digits,
                const Pieces& out) {
  for (std::int64_t i = 0; i < count; ++i, digits += kNumberBytes)
    make_fixed_one(reader, precision, first + i, digits, out[i]);
}

}  // namespace

Piece none_piece() {
  return {kNone.text, 4};
}

Piece unready_piece() {
  return {kNone.text, kNotReady};
}

Piece make_other_text(std::string_view text, bool is_escaped, Scratch& scratch) {
  if (text.size() >= kNotReady || (is_escaped && text.size() > kMostLookedThrough)) return unready_piece();
  const Piece where_it_lies{text.data(), static_cast<std::uint32_t>(text.size())};
  if (!is_escaped && text.size() >= kShortText) return where_it_lies;
  if (escaped_bound(text.size()) > static_cast<std::size_t>(scratch.end - scratch.at)) return unready_piece();
  char* const begin = scratch.at;
  char* end = begin + text.size();
  if (is_escaped) {
    end = scratch.escape(begin, text);
    if (end == begin + text.size() && text.size() >= kShortText) return where_it_lies;
  } else {
    copy_bytes(begin, text.data(), text.size());
  }
  scratch.at = end;
  return {begin, static_cast<std::uint32_t>(end - begin)};
}

const ReadyKernels& ready_kernels_plain() {
  static constexpr ReadyKernels kKernels = {make_texts<std::int32_t>, make_texts<std::int64_t>, make_views,
                                            make_integers, make_fixed};
  return kKernels;
}

const ReadyKernels& ready_kernels() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return ready_kernels_avx2();
#endif
  return ready_kernels_plain();
}

}  // namespace labfactory
