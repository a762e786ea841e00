#include "labfactory/assemble/assembler.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "labfactory/assemble/chunk.hpp"
#include "labfactory/assemble/chunk_writer.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"
#include "labfactory/values/outcome.hpp"

namespace labfactory {

namespace {

// Until a plan has run, this many bytes a row are a guess that growing corrects.
constexpr std::int64_t kFirstBytesARow = 512;
// A morsel of less text or more rows costs more in bookkeeping than it gives to the other thread.
constexpr std::int64_t kLeastMorselBytes = std::int64_t{256} << 10;
constexpr std::int64_t kLeastMorselRows = 64;
constexpr std::int64_t kMostLeastRows = 4096;
// Towards the end of a large batch morsels become smaller, so that all threads end together, but never than
// that: each costs the caller an array.
constexpr std::int64_t kLastMorselRows = 16384;

ArrayPointer names(const std::vector<std::string>& values) {
  std::vector<std::optional<std::string_view>> views(values.begin(), values.end());
  return make_text_array(views);
}

Assembler::Dictionaries make_dictionaries(const Program& program) {
  Assembler::Dictionaries dictionaries;
  dictionaries.statuses = names({"ok", "skipped", "error"});
  dictionaries.codes = names({kOutcomes.begin(), kOutcomes.end()});
  dictionaries.templates = names(program.sources);
  std::vector<std::string>& reasons = dictionaries.reason_texts;
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

}  // namespace

Assembler::Assembler(std::shared_ptr<const Program> program)
    : program_(std::move(program)),
      tape_(make_tape(*program_)),
      dictionaries_(make_dictionaries(*program_)),
      bytes_a_row_(std::make_unique<std::atomic<std::int64_t>[]>(parts())) {}

void AssembleOptions::check() const {
  constexpr int kMostThreads = 1024;
  if (threads < 1 || threads > kMostThreads) {
    throw Error(ErrorKind::usage, "option",
                "expected threads from 1 to 1024, found " + std::to_string(threads));
  }
  constexpr std::int64_t kMostBatchBytes = std::numeric_limits<std::int32_t>::max();
  if (batch_bytes < 1 || batch_bytes > kMostBatchBytes) {
    throw Error(ErrorKind::usage, "option",
                "expected batch_bytes from 1 to 2147483647, found " + std::to_string(batch_bytes));
  }
}

ArrayPointer Assembler::silent_notes(std::int64_t rows) const {
  return labfactory::silent_notes(dictionaries_, rows);
}

ArrayPointer Assembler::no_text() const {
  const std::vector<std::int64_t> capacities(parts(), 0);
  return Chunk(*program_, dictionaries_, capacities, 0, 0).finish().text;
}

bool Assembler::knows_row_bytes() const {
  return bytes_a_row_[0].load(std::memory_order_relaxed) != 0;
}

std::int64_t Assembler::row_bytes() const {
  std::int64_t bytes = 1;
  for (std::size_t part = 0; part < parts(); ++part) bytes += row_bytes(part);
  return bytes;
}

std::int64_t Assembler::row_bytes(std::size_t part) const {
  const std::int64_t known = bytes_a_row_[part].load(std::memory_order_relaxed);
  return known == 0 ? kFirstBytesARow : known;
}

void Assembler::remember(const Chunk& chunk) const {
  if (chunk.rows() == 0) return;
  for (std::size_t part = 0; part < parts(); ++part) {
    bytes_a_row_[part].store(chunk.bytes(part) / chunk.rows() + 1, std::memory_order_relaxed);
  }
}

ArrayPointer Assembler::joined(const Assets& assets) const {
  const std::int64_t rows = assets.text->length;
  std::vector<Field> fields = (assets.notes ? assets.notes : silent_notes(rows))->children;
  fields.insert(fields.end(), assets.text->children.begin(), assets.text->children.end());
  return make_struct_array(rows, std::move(fields));
}

// Where the morsels of a batch end.
std::vector<std::int64_t> Assembler::morsels(std::int64_t rows, int threads) const {
  const std::int64_t even = (rows + threads - 1) / threads;
  const std::int64_t least = std::clamp(kLeastMorselBytes / row_bytes(), kLeastMorselRows, kMostLeastRows);
  const std::int64_t last = threads == 1 ? rows : std::clamp(even, least, kLastMorselRows);
  std::vector<std::int64_t> ends;
  for (std::int64_t first = 0; first < rows; first = ends.back()) {
    const std::int64_t share = (rows - first) / (std::int64_t{2} * threads);
    ends.push_back(std::min(rows, first + std::min(std::max(share, last), kMostChunkRows)));
  }
  return ends;
}

std::vector<ArrayPointer> Assembler::assemble(const std::shared_ptr<const Batch>& batch,
                                              const AssembleOptions& options) const {
  options.check();
  const Binding binding(*program_, batch, options.memo);
  const std::vector<std::int64_t> ends = morsels(binding.rows(), options.threads);
  std::vector<std::vector<Assets>> made(ends.size());
  std::vector<std::unique_ptr<ChunkWriter>> writers(
      std::min(ends.size(), static_cast<std::size_t>(options.threads)));
  parallel_for(options.threads, static_cast<std::int64_t>(ends.size()), [&](std::int64_t task, int worker) {
    const auto morsel = static_cast<std::size_t>(task);
    auto& writer = writers[static_cast<std::size_t>(worker)];
    if (!writer) writer = std::make_unique<ChunkWriter>(*this, binding, options.batch_bytes, binding.rows());
    made[morsel] = writer->write(morsel == 0 ? 0 : ends[morsel - 1], ends[morsel]);
  });
  std::vector<ArrayPointer> chunks;
  for (const auto& some : made) {
    for (const Assets& assets : some) chunks.push_back(joined(assets));
  }
  return chunks;
}

}  // namespace labfactory
