// The assets of a batch as a stream of chunks: while the consumer holds one, other threads make those behind
// it, and a consumer who waits makes one himself. Owner: shares assembler and batch with the threads at work.
// Threads: one consumer at a time; it may be a child of fork, which has none of the threads.
#pragma once

#include <cstdint>
#include <memory>

#include "labfactory/arrow/stream.hpp"
#include "labfactory/assemble/assembler.hpp"
#include "labfactory/execute/binding.hpp"

namespace labfactory {

class AssetStream final : public ArraySource {
 public:
  // Errors as Assembler::assemble throws them. The program calls no functions.
  AssetStream(std::shared_ptr<const Assembler> assembler, const std::shared_ptr<const Batch>& batch,
              const AssembleOptions& options);
  AssetStream(const AssetStream&) = delete;
  AssetStream& operator=(const AssetStream&) = delete;
  // Waits for what is being made; nothing more begins.
  ~AssetStream() override;

  [[nodiscard]] ArrayPointer example() override;
  // The text of the next chunk, in the order of the rows, and from then on its notes.
  [[nodiscard]] ArrayPointer next() override;
  [[nodiscard]] const ArrayPointer& notes() const { return notes_; }

 private:
  class Making;

  std::shared_ptr<Making> begin();

  std::shared_ptr<const Assembler> assembler_;
  std::shared_ptr<const Binding> binding_;
  AssembleOptions options_;
  std::int64_t next_row_ = 0;  // of those not handed out
  std::uint64_t forks_ = 0;
  ArrayPointer notes_;
  std::shared_ptr<Making> making_;
};

}  // namespace labfactory
