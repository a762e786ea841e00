// Writes rows of a bound batch to as many chunks as their bytes need; the next rows find its machine and what
// that found out about the batch. Owner: its machine; borrows assembler and binding. Threads: one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "labfactory/assemble/assembler.hpp"
#include "labfactory/assemble/chunk.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/execute/tape_machine.hpp"

namespace labfactory {

class ChunkWriter {
 public:
  // `rows` is the most that a call is likely to write.
  ChunkWriter(const Assembler& assembler, const Binding& binding, std::int64_t batch_bytes,
              std::int64_t rows);

  // The chunks of rows first .. last, in their order.
  [[nodiscard]] std::vector<Assets> write(std::int64_t first, std::int64_t last);

 private:
  void fill(Chunk& chunk, std::int64_t first, std::int64_t last);
  bool settle(Chunk& chunk, std::int64_t row, RowEvent event);
  [[nodiscard]] std::vector<std::int64_t> capacities(std::int64_t rows) const;

  const Assembler& assembler_;
  const Program& program_;
  const Binding& binding_;
  TapeMachine machine_;
  std::optional<RowMachine> collector_;
  std::int64_t batch_bytes_;
};

}  // namespace labfactory
