#include "labfactory/assemble/assembler.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "labfactory/assemble/chunk.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/execute/tape_machine.hpp"
#include "labfactory/values/outcome.hpp"

namespace labfactory {

namespace {

// Until a plan has run, this many bytes a row are a guess that growing corrects.
constexpr std::int64_t kFirstBytesARow = 512;
constexpr std::int64_t kLeastCapacity = 4096;
// With it a buffer is as large as the pool's class: 64 MiB and a byte would take 128.
constexpr std::int64_t kSlack = kPartSlack;
// A morsel of less text or more rows costs more in bookkeeping than it gives to the other thread.
constexpr std::int64_t kLeastMorselBytes = std::int64_t{256} << 10;
constexpr std::int64_t kLeastMorselRows = 64;
constexpr std::int64_t kMostLeastRows = 4096;
// For fewer rows finding out what to make ready costs more than it saves.
constexpr std::int64_t kLeastReadyRows = 8;

ArrayPointer names(const std::vector<std::string>& values) {
  std::vector<std::optional<std::string_view>> views(values.begin(), values.end());
  return make_text_array(views);
}

Assembler::Dictionaries make_dictionaries(const Program& program) {
  Assembler::Dictionaries dictionaries;
  dictionaries.statuses = names({"ok", "skipped", "error"});
  dictionaries.codes = names({kOutcomes.begin(), kOutcomes.end()});
  dictionaries.templates = names(program.sources);
  std::vector<std::string> reasons;
  dictionaries.reason_of_constant.assign(program.constants.size(), 0);
  for (const Instruction& instruction : program.code) {
    if (instruction.opcode != Opcode::skip) continue;
    const auto constant = static_cast<std::size_t>(instruction.operands[0]);
    const std::string reason(program.constants[constant].view());
    const auto found = std::find(reasons.begin(), reasons.end(), reason);
    dictionaries.reason_of_constant[constant] = static_cast<std::int32_t>(found - reasons.begin());
    if (found == reasons.end()) reasons.push_back(reason);
  }
  dictionaries.reasons = names(reasons);
  return dictionaries;
}

// Rows first .. last of a batch, written to as many chunks as their bytes need.
class Morsel {
 public:
  Morsel(const Program& program, const Tape& tape, const Assembler::Dictionaries& dictionaries,
         const Binding& binding, std::int64_t batch_bytes, std::int64_t rows,
         std::span<std::atomic<std::int64_t>> bytes_a_row)
      : program_(program),
        dictionaries_(dictionaries),
        binding_(binding),
        machine_(program, tape, binding, rows < kLeastReadyRows ? 0 : kReadyRows),
        batch_bytes_(batch_bytes),
        bytes_a_row_(bytes_a_row) {}

  std::vector<ArrayPointer> run(std::int64_t first, std::int64_t last) {
    std::vector<ArrayPointer> chunks;
    while (first < last) {
      const std::int64_t rows = std::min(last - first, kMostChunkRows);
      Chunk chunk(program_, dictionaries_, capacities(rows), rows, batch_bytes_);
      fill(chunk, first, first + rows);
      first += chunk.rows();
      remember(chunk);
      chunks.push_back(chunk.finish());
    }
    return chunks;
  }

 private:
  // Writes rows first .. last as far as the chunk has room for them, and at least one.
  void fill(Chunk& chunk, std::int64_t first, std::int64_t last) {
    for (;;) {
      const RowEvent event = machine_.assemble(first + chunk.rows(), last, chunk.ends());
      const std::int64_t row = first + chunk.rows();
      if (row == last || !settle(chunk, row, event) || first + chunk.rows() == last) return;
    }
  }

  // Makes of a row that did not end well what becomes of it, or room for it. False when the chunk must be
  // closed before it.
  bool settle(Chunk& chunk, std::int64_t row, RowEvent event) {
    const bool is_too_large = chunk.bytes() - chunk.ends().bytes() > program_.limits.asset_bytes;
    if (event.kind == RowEvent::Kind::done && !is_too_large) {
      chunk.ends().rewind();
      return false;
    }
    if (event.outcome == Outcome::suspended) {
      // Its other calls are asked for at once, so that the batch runs again once and not once for each.
      if (!collector_) collector_.emplace(program_, binding_);
      collector_->collect(row);
    }
    if (event.kind == RowEvent::Kind::full) {
      chunk.ends().rewind();
      if (!is_too_large) {
        const bool is_spent = chunk.rows() > 0 && chunk.bytes() >= batch_bytes_ / 2;
        if (is_spent) return false;
        if (chunk.grow(static_cast<std::size_t>(event.constant))) return true;
        if (chunk.rows() > 0) return false;
      }
      event = {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
    } else if (event.kind == RowEvent::Kind::done) {
      event = {RowEvent::Kind::failed, Outcome::asset_too_large, -1, 0};
    }
    chunk.commit(event);
    return true;
  }

  [[nodiscard]] std::vector<std::int64_t> capacities(std::int64_t rows) const {
    std::vector<std::int64_t> sizes;
    for (const auto& bytes : bytes_a_row_) {
      // An eighth more than last time keeps the usual spread from growing the buffer.
      const std::int64_t expected = bytes.load(std::memory_order_relaxed) * rows;
      sizes.push_back(std::clamp(expected + expected / 8, kLeastCapacity,
                                 std::max(batch_bytes_ - kSlack, kLeastCapacity)));
    }
    return sizes;
  }

  void remember(const Chunk& chunk) {
    if (chunk.rows() == 0) return;
    for (std::size_t part = 0; part < bytes_a_row_.size(); ++part) {
      bytes_a_row_[part].store(chunk.bytes(part) / chunk.rows() + 1, std::memory_order_relaxed);
    }
  }

  const Program& program_;
  const Assembler::Dictionaries& dictionaries_;
  const Binding& binding_;
  TapeMachine machine_;
  std::optional<RowMachine> collector_;
  std::int64_t batch_bytes_;
  std::span<std::atomic<std::int64_t>> bytes_a_row_;
};

std::size_t part_count(const Program& program) {
  return std::max<std::size_t>(program.parts.size(), 1);
}

}  // namespace

Assembler::Assembler(std::shared_ptr<const Program> program)
    : program_(std::move(program)),
      tape_(make_tape(*program_)),
      dictionaries_(make_dictionaries(*program_)),
      bytes_a_row_(std::make_unique<std::atomic<std::int64_t>[]>(part_count(*program_))) {
  for (std::size_t part = 0; part < part_count(*program_); ++part) bytes_a_row_[part] = kFirstBytesARow;
}

void AssembleOptions::check() const {
  if (threads < 1) {
    throw Error(ErrorKind::usage, "option",
                "expected threads of at least 1, found " + std::to_string(threads));
  }
  constexpr std::int64_t kMostBatchBytes = std::numeric_limits<std::int32_t>::max();
  if (batch_bytes < 1 || batch_bytes > kMostBatchBytes) {
    throw Error(ErrorKind::usage, "option",
                "expected batch_bytes from 1 to 2147483647, found " + std::to_string(batch_bytes));
  }
}

std::vector<ArrayPointer> Assembler::assemble_rows(const Binding& binding, std::int64_t first,
                                                   std::int64_t last, std::int64_t batch_bytes) const {
  Morsel morsel(*program_, tape_, dictionaries_, binding, batch_bytes, last - first,
                {bytes_a_row_.get(), part_count(*program_)});
  return morsel.run(first, last);
}

ArrayPointer Assembler::no_rows() const {
  const std::vector<std::int64_t> capacities(part_count(*program_), 0);
  return Chunk(*program_, dictionaries_, capacities, 0, 0).finish();
}

std::int64_t Assembler::row_bytes() const {
  std::int64_t bytes = 1;
  for (std::size_t part = 0; part < part_count(*program_); ++part) bytes += bytes_a_row_[part].load();
  return bytes;
}

std::vector<ArrayPointer> Assembler::assemble(const std::shared_ptr<const Batch>& batch,
                                              const AssembleOptions& options) const {
  options.check();
  const Binding binding(*program_, batch, options.memo);
  const std::int64_t rows = binding.rows();
  const std::int64_t even = (rows + options.threads - 1) / options.threads;
  const std::int64_t least = std::clamp(kLeastMorselBytes / row_bytes(), kLeastMorselRows, kMostLeastRows);
  const std::int64_t step = std::clamp(even, least, kMostChunkRows);
  const std::int64_t morsels = (rows + step - 1) / step;
  std::vector<std::vector<ArrayPointer>> made(static_cast<std::size_t>(morsels));
  parallel_for(options.threads, morsels, [&](std::int64_t task, int) {
    made[static_cast<std::size_t>(task)] =
        assemble_rows(binding, task * step, std::min(rows, (task + 1) * step), options.batch_bytes);
  });
  std::vector<ArrayPointer> chunks;
  for (auto& some : made) chunks.insert(chunks.end(), some.begin(), some.end());
  return chunks;
}

}  // namespace labfactory
