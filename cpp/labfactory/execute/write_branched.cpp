#include <algorithm>
#include <cstring>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/base/prefetch.hpp"
#include "labfactory/execute/branched_rows.hpp"

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_run.inc"
#include "labfactory/execute/write_branched.inc"

}  // namespace

WrittenRows write_branched_plain(const Branches& branches, std::int64_t first, std::int64_t last,
                                 const RowSpace& space) {
  return write_rows_of(branches, first, last, space);
}

WriteBranched write_branched() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return write_branched_avx2;
#endif
  return write_branched_plain;
}

}  // namespace labfactory
