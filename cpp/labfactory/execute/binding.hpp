// A program's columns found in one batch, so that a row's values are read by index.
// Owner: holds the batch, borrows the memo of what functions gave.
// Threads: read-only; any number of machines may share one.
#pragma once

#include <memory>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/cells.hpp"

namespace labfactory {

class Binding {
 public:
  // Error(source, "missing_column") or Error(source, "column_type") where the batch is not what the plan was
  // compiled for.
  Binding(const Program& program, std::shared_ptr<const Batch> batch, Memo* memo = nullptr);

  [[nodiscard]] const Cells& cells() const { return cells_; }
  [[nodiscard]] std::int64_t rows() const { return batch_->length(); }
  [[nodiscard]] Memo* memo() const { return memo_; }

 private:
  std::shared_ptr<const Batch> batch_;
  Cells cells_;
  Memo* memo_;
};

}  // namespace labfactory
