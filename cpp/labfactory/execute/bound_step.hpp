// A step of a tape as one machine runs it: where its literal lies, and what it writes when that is ready.
// Owner: borrows the tape's literals and the machine's ready texts.
// Threads: one belongs to one machine.
#pragma once

#include <cstdint>
#include <vector>

#include "labfactory/execute/entry_texts.hpp"
#include "labfactory/execute/ready_run.hpp"
#include "labfactory/execute/ready_texts.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/cells.hpp"

namespace labfactory {

// As Step, save where it says otherwise. What most steps need is one line of the cache.
struct alignas(64) BoundStep {
  StepKind kind = StepKind::end;
  StepKind plain = StepKind::end;  // what runs where `kind` does not apply to a row
  bool flag = false;
  Opcode relation = Opcode::equal;
  std::int32_t source = 0;
  std::int32_t column = 0;
  std::int32_t parent = 0;
  std::int32_t to = 0;
  std::int32_t other = 0;
  std::size_t literal_bytes = 0;
  const char* literal = nullptr;
  // Of ready_*: it and those behind it that are ready as well, for the same row or item; and the step behind
  // them all. Of a slot: the one that comes next, for the last one of a row the first; `source` is its
  // number.
  const RunPart* run = nullptr;
  const RunPart* run_end = nullptr;
  const BoundStep* behind = nullptr;

  std::int32_t target = 0;
  std::int32_t span = 0;
  std::int32_t read_span = 0;
  bool is_choice = false;            // of ready_*: between literals
  const BoundStep* next = nullptr;   // step behind what is ready, or kept
  const ReadyText* ready = nullptr;  // of ready_*
  EntryTexts* entries = nullptr;     // of entry_*
};
static_assert(sizeof(BoundStep) == 128);

// A tape as one machine runs it; parts and steps point at each other.
struct BoundTape {
  std::vector<BoundStep> steps;
  std::vector<RunPart> parts;
  StraightRows straight;
};

// The steps of a tape, chosen by how the columns lie and by what is ready. Adds to `entries`, in memory that
// is not moved, what keeps the texts of dictionaries; `rows` are those of the batch.
[[nodiscard]] BoundTape bind_tape(const Tape& tape, const Cells& cells, const std::vector<Value>& slots,
                                  const ReadyTexts& ready, EntryTextStore& entries, std::int64_t rows);

}  // namespace labfactory
