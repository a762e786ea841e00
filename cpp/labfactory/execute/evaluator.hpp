// The evaluator: runs an expression's program over a batch into an Arrow array.
// Owner: the arrays own their memory.
// Threads: any.
#pragma once

#include <memory>
#include <string_view>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/memo.hpp"

namespace labfactory {

// Which machine runs an expression; they agree, and tests hold them to it.
enum class Machine : std::uint8_t { block, row };

struct Evaluated {
  ArrayPointer values;  // null where the value is None or the row failed
  ArrayPointer codes;   // dictionary<int8, utf8>; null where the row is fine
};

// `type` is boolean, integer, floating or text; a value of another kind is the row error type_error. Where
// the memo has requests afterwards, rows wait for what functions give: the arrays mean nothing, answer and
// evaluate again. An expression that calls functions runs on the row machine.
[[nodiscard]] Evaluated evaluate(const Program& program, const std::shared_ptr<const Batch>& batch,
                                 LogicalType type, Machine machine, Memo* memo = nullptr);

}  // namespace labfactory
