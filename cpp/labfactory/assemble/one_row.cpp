#include "labfactory/assemble/one_row.hpp"

#include <algorithm>
#include <limits>

#include "labfactory/execute/row_machine.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kFirstBytes = 4096;
constexpr std::int64_t kMostPartBytes = std::numeric_limits<std::int32_t>::max();
// One large asset must not keep its memory for as long as the plan lives.
constexpr std::size_t kMostKept = std::size_t{1} << 20;

}  // namespace

OneRow::OneRow(const Assembler& assembler, const std::vector<DataType>& columns)
    : program_(assembler.program()),
      memo_(std::in_place),
      values_(columns),
      binding_(program_, values_.batch(), &*memo_),
      machine_(program_, assembler.tape(), binding_, 0),
      texts_(std::max<std::size_t>(program_.parts.size(), 1)),
      cursors_(texts_.size()) {
  for (std::size_t part = 0; part < texts_.size(); ++part) hold(part, kFirstBytes);
}

void OneRow::hold(std::size_t part, std::int64_t bytes) {
  texts_[part] = BufferPool::acquire(static_cast<std::size_t>(bytes) + kPartSlack);
  const std::size_t usable =
      std::min(texts_[part].capacity() - kPartSlack, static_cast<std::size_t>(kMostPartBytes));
  cursors_[part] = {texts_[part].data(), texts_[part].data() + usable};
}

bool OneRow::grow(std::size_t part) {
  const auto capacity = static_cast<std::int64_t>(cursors_[part].limit - texts_[part].data());
  if (capacity >= kMostPartBytes) return false;
  hold(part, std::min(2 * capacity, kMostPartBytes));
  return true;
}

std::int64_t OneRow::bytes() const {
  std::int64_t total = 0;
  for (std::size_t part = 0; part < texts_.size(); ++part) total += cursors_[part].at - texts_[part].data();
  return total;
}

RowEvent OneRow::assemble() {
  for (std::size_t part = 0; part < texts_.size(); ++part) {
    if (texts_[part].capacity() > kMostKept) hold(part, kFirstBytes);
  }
  for (;;) {
    for (std::size_t part = 0; part < texts_.size(); ++part) cursors_[part].at = texts_[part].data();
    const RowEvent event = machine_.assemble(0, cursors_);
    const bool is_too_large = bytes() > program_.limits.asset_bytes;
    if (event.kind == RowEvent::Kind::full) {
      if (!is_too_large && grow(static_cast<std::size_t>(event.constant))) continue;
      return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
    }
    if (event.kind == RowEvent::Kind::done && is_too_large)
      return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, 0};
    // Its other calls are asked for at once.
    if (event.outcome == Outcome::suspended) RowMachine(program_, binding_).collect(0);
    return event;
  }
}

}  // namespace labfactory
