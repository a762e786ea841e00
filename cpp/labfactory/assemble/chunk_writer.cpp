#include "labfactory/assemble/chunk_writer.hpp"

#include <algorithm>

#include "labfactory/values/outcome.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kLeastCapacity = 4096;
// With it a buffer is as large as the pool's class: 64 MiB and a byte would take 128.
constexpr std::int64_t kSlack = kPartSlack;
// For fewer rows finding out what to make ready costs more than it saves.
constexpr std::int64_t kLeastReadyRows = 8;

}  // namespace

ChunkWriter::ChunkWriter(const Assembler& assembler, const Binding& binding, std::int64_t batch_bytes,
                         std::int64_t rows)
    : assembler_(assembler),
      program_(assembler.program()),
      binding_(binding),
      machine_(program_, assembler.tape(), binding, rows < kLeastReadyRows ? 0 : kReadyRows),
      batch_bytes_(batch_bytes) {}

std::vector<Assets> ChunkWriter::write(std::int64_t first, std::int64_t last) {
  std::vector<Assets> chunks;
  while (first < last) {
    const std::int64_t rows = std::min(last - first, kMostChunkRows);
    Chunk chunk(program_, assembler_.dictionaries(), capacities(rows), rows, batch_bytes_);
    fill(chunk, first, first + rows);
    first += chunk.rows();
    assembler_.remember(chunk);
    chunks.push_back(chunk.finish());
  }
  return chunks;
}

// Writes rows first .. last as far as the chunk has room for them, and at least one.
void ChunkWriter::fill(Chunk& chunk, std::int64_t first, std::int64_t last) {
  for (;;) {
    const RowEvent event = machine_.assemble(first + chunk.rows(), last, chunk.ends());
    const std::int64_t row = first + chunk.rows();
    if (row == last || !settle(chunk, row, event) || first + chunk.rows() == last) return;
  }
}

// Makes of a row that did not end well what becomes of it, or room for it. False when the chunk must be
// closed before it.
bool ChunkWriter::settle(Chunk& chunk, std::int64_t row, RowEvent event) {
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
  chunk.commit(event, machine_.reason());
  return true;
}

std::vector<std::int64_t> ChunkWriter::capacities(std::int64_t rows) const {
  std::vector<std::int64_t> sizes;
  for (std::size_t part = 0; part < assembler_.parts(); ++part) {
    // An eighth more than last time keeps the usual spread from growing the buffer.
    const std::int64_t expected = assembler_.row_bytes(part) * rows;
    sizes.push_back(
        std::clamp(expected + expected / 8, kLeastCapacity, std::max(batch_bytes_ - kSlack, kLeastCapacity)));
  }
  return sizes;
}

}  // namespace labfactory
