// One row that is set, assembled and set again: the assembler's twin for callers who have single rows.
// Owner: the row's values, its machine and the memory of its asset; borrows the assembler.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "labfactory/arrow/row_values.hpp"
#include "labfactory/assemble/assembler.hpp"
#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/execute/tape_machine.hpp"
#include "labfactory/values/memo.hpp"

namespace labfactory {

class OneRow {
 public:
  // The columns are those of the schema that the program was compiled against; it may read fewer.
  OneRow(const Assembler& assembler, const std::vector<DataType>& columns);

  [[nodiscard]] RowValues& values() { return values_; }
  // What functions gave for this row; new for every row.
  [[nodiscard]] Memo& memo() { return *memo_; }
  void forget() { memo_.emplace(); }

  // Makes the asset; done, skipped or failed. Where the memo has requests afterwards, the row waits for them.
  [[nodiscard]] RowEvent assemble();
  // Why the row is skipped, where its event has no constant; until the row is assembled again.
  [[nodiscard]] std::string_view reason() const { return machine_.reason(); }
  // The text of a part, until the row is assembled again.
  [[nodiscard]] std::string_view text(std::size_t part) const {
    return {texts_[part].data(), static_cast<std::size_t>(cursors_[part].at - texts_[part].data())};
  }

 private:
  [[nodiscard]] std::int64_t bytes() const;
  // Doubles the memory of a part; false when it would pass 2 GiB.
  bool grow(std::size_t part);
  void hold(std::size_t part, std::int64_t bytes);

  const Program& program_;
  std::optional<Memo> memo_;
  RowValues values_;
  Binding binding_;
  TapeMachine machine_;
  std::vector<PooledBuffer> texts_;
  std::vector<PartCursor> cursors_;
};

}  // namespace labfactory
