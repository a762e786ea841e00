#include "labfactory/execute/branched_rows.hpp"

#include <algorithm>

#include "labfactory/execute/branched_rows_maker.hpp"
#include "labfactory/execute/relation.hpp"

namespace labfactory {

BranchedRows::BranchedRows(const Program& program, const Tape& tape, const BoundTape& bound,
                           const Cells& cells, const std::vector<Value>& slots, std::int64_t rows,
                           WriteBranched write)
    : write_(write), rows_(rows) {
  // An asset of several parts is written at several places.
  if (rows == 0 || program.parts.size() > 1) return;
  BranchedRowsMaker(tape, bound, cells, slots, *this).make();
  components_.resize(static_cast<std::size_t>(rows) * slots_.size() + 1);
  branches_ = {.start = stretches_.data(),
               .conditions = conditions_.data(),
               .loops = loops_.data(),
               .components = components_.data(),
               .slots = static_cast<std::int64_t>(slots_.size()),
               .places = places_.data(),
               .work = program.limits.work,
               .copy = padded_copy()};
}

std::int64_t BranchedRows::find(std::int64_t first, std::int64_t last) {
  first_ = first;
  last = std::min(last, first + rows_);
  const std::size_t step = slots_.size();
  for (std::size_t at = 0; at < step; ++at) {
    const Slot& slot = slots_[at];
    Component* out = components_.data() + at;
    for (std::int64_t row = first; row < last; ++row, out += step) {
      const auto number = static_cast<std::size_t>(load_as<std::uint32_t>(slot.reader->values + row * 4));
      const bool is_known = is_set(*slot.reader, row) && number < slot.components.size();
      *out = is_known ? slot.components[number] : Component{};
    }
  }
  return last;
}

WrittenRows BranchedRows::write(std::int64_t first, std::int64_t last, const RowSpace& space) {
  branches_.places[0].first = first_;
  const WrittenRows written = write_(branches_, first - first_, last - first_, space);
  done_ += written.rows;
  left_ += written.rows < last - first ? 1 : 0;
  return written;
}

}  // namespace labfactory
