#include "labfactory/execute/ready_run.hpp"

#include <algorithm>

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_run.inc"
#include "labfactory/execute/straight_rows.inc"

}  // namespace

WrittenRows write_rows_plain(const StraightRows& straight, std::int64_t first, std::int64_t last,
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
