#include "labfactory/assemble/chunk.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace labfactory {

namespace {

constexpr std::int64_t kMostPartBytes = std::numeric_limits<std::int32_t>::max();

// Row statuses, in the order of Assembler::Dictionaries::statuses.
constexpr std::int8_t kSkipped = 1;
constexpr std::int8_t kError = 2;

const void* zeros() {
  alignas(64) static const std::int32_t kZeros[kMostChunkRows] = {};
  return kZeros;
}

SharedBuffer shared_zeros() {
  return {nullptr, zeros()};
}

ArrayPointer column(std::string format, std::int64_t rows, std::int64_t nulls, SharedBuffer validity,
                    SharedBuffer values, ArrayPointer dictionary = nullptr) {
  auto array = std::make_shared<ArrayData>();
  array->format = std::move(format);
  array->length = rows;
  array->null_count = nulls;
  array->buffers = {std::move(validity), std::move(values)};
  array->dictionary = std::move(dictionary);
  return array;
}

// A column of which only the rows of some notes say anything.
template <class T>
class Sparse {
 public:
  explicit Sparse(std::int64_t rows)
      : values_(static_cast<std::size_t>(rows)), bits_(static_cast<std::size_t>((rows + 7) / 8)) {}
  void set(std::int64_t row, T value) {
    values_[static_cast<std::size_t>(row)] = value;
    auto& byte = bits_[static_cast<std::size_t>(row >> 3)];
    byte = static_cast<std::uint8_t>(byte | (1 << (row & 7)));
    ++valid_;
  }
  ArrayPointer take(std::string format, ArrayPointer dictionary = nullptr) {
    const auto rows = static_cast<std::int64_t>(values_.size());
    if (valid_ == 0)
      return column(std::move(format), rows, rows, shared_zeros(), shared_zeros(), std::move(dictionary));
    return column(std::move(format), rows, rows - valid_, SharedBuffer(std::move(bits_)),
                  SharedBuffer(std::move(values_)), std::move(dictionary));
  }

 private:
  std::vector<T> values_;
  std::vector<std::uint8_t> bits_;
  std::int64_t valid_ = 0;
};

}  // namespace

Chunk::Chunk(const Program& program, const Assembler::Dictionaries& dictionaries,
             std::span<const std::int64_t> capacities, std::int64_t rows, std::int64_t chunk_bytes)
    : program_(program),
      dictionaries_(dictionaries),
      cursors_(capacities.size()),
      parts_(capacities.size()),
      ends_(cursors_, parts_, program.limits.asset_bytes, chunk_bytes) {
  for (std::size_t part = 0; part < capacities.size(); ++part) {
    PooledBuffer text = BufferPool::acquire(static_cast<std::size_t>(capacities[part]) + kPartSlack);
    const std::size_t usable =
        std::min(text.capacity() - kPartSlack, static_cast<std::size_t>(kMostPartBytes));
    PooledBuffer offsets = BufferPool::acquire(static_cast<std::size_t>(rows + 1) * sizeof(std::int32_t));
    cursors_[part] = {text.data(), text.data() + usable};
    parts_[part] = {text.data(), reinterpret_cast<std::int32_t*>(offsets.data())};
    parts_[part].offsets[0] = 0;
    texts_.push_back(std::move(text));
    offsets_.push_back(std::move(offsets));
  }
}

void Chunk::commit(const RowEvent& event, std::string_view reason) {
  std::int32_t entry = -1;
  if (event.kind == RowEvent::Kind::skipped) {
    entry = event.constant < 0 ? entry_of(reason)
                               : dictionaries_.reason_of_constant[static_cast<std::size_t>(event.constant)];
  }
  notes_.push_back({rows(), event, entry});
  ends_.commit_nothing();
}

// The entry of a reason that a row tells.
std::int32_t Chunk::entry_of(std::string_view reason) {
  const auto& known = dictionaries_.reason_texts;
  const auto found = std::find(known.begin(), known.end(), reason);
  if (found != known.end()) return static_cast<std::int32_t>(found - known.begin());
  const auto next = static_cast<std::int32_t>(known.size() + own_reasons_.size());
  return own_reasons_.try_emplace(std::string(reason), next).first->second;
}

ArrayPointer Chunk::reasons() const {
  if (own_reasons_.empty()) return dictionaries_.reasons;
  const auto& known = dictionaries_.reason_texts;
  std::vector<std::optional<std::string_view>> texts(known.begin(), known.end());
  texts.resize(known.size() + own_reasons_.size());
  for (const auto& [text, entry] : own_reasons_) texts[static_cast<std::size_t>(entry)] = text;
  return make_text_array(texts);
}

bool Chunk::grow(std::size_t part) {
  PooledBuffer& text = texts_[part];
  const auto capacity = cursors_[part].limit - text.data();
  if (capacity >= kMostPartBytes) return false;
  PooledBuffer larger =
      BufferPool::acquire(static_cast<std::size_t>(std::min(2 * capacity, kMostPartBytes)) + kPartSlack);
  const auto used = static_cast<std::size_t>(bytes(part));
  std::memcpy(larger.data(), text.data(), used);
  const std::size_t usable =
      std::min(larger.capacity() - kPartSlack, static_cast<std::size_t>(kMostPartBytes));
  cursors_[part] = {larger.data() + used, larger.data() + usable};
  parts_[part].begin = larger.data();
  text = std::move(larger);
  return true;
}

ArrayPointer silent_notes(const Assembler::Dictionaries& dictionaries, std::int64_t rows) {
  const auto silent = [&](std::string format, ArrayPointer dictionary = nullptr) {
    return column(std::move(format), rows, rows, shared_zeros(), shared_zeros(), std::move(dictionary));
  };
  return make_struct_array(rows, {{"status", column("c", rows, 0, {}, shared_zeros(), dictionaries.statuses)},
                                  {"reason", silent("i", dictionaries.reasons)},
                                  {"code", silent("c", dictionaries.codes)},
                                  {"template", silent("i", dictionaries.templates)},
                                  {"line", silent("i")},
                                  {"column", silent("i")}});
}

ArrayPointer Chunk::notes() const {
  if (notes_.empty()) return nullptr;
  std::vector<std::int8_t> status(static_cast<std::size_t>(rows()), 0);
  Sparse<std::int32_t> reason(rows());
  Sparse<std::int8_t> code(rows());
  Sparse<std::int32_t> source(rows());
  Sparse<std::int32_t> line(rows());
  Sparse<std::int32_t> place(rows());
  for (const auto& [row, event, why] : notes_) {
    const bool is_skipped = event.kind == RowEvent::Kind::skipped;
    status[static_cast<std::size_t>(row)] = is_skipped ? kSkipped : kError;
    if (is_skipped) {
      reason.set(row, why);
    } else {
      code.set(row, static_cast<std::int8_t>(event.outcome));
    }
    const Span& span = program_.spans[static_cast<std::size_t>(event.span)];
    source.set(row, span.source);
    line.set(row, span.line);
    place.set(row, span.column);
  }
  return make_struct_array(
      rows(),
      {{"status", column("c", rows(), 0, {}, SharedBuffer(std::move(status)), dictionaries_.statuses)},
       {"reason", reason.take("i", reasons())},
       {"code", code.take("c", dictionaries_.codes)},
       {"template", source.take("i", dictionaries_.templates)},
       {"line", line.take("i")},
       {"column", place.take("i")}});
}

ArrayPointer Chunk::text_array(std::size_t part, const SharedBuffer& validity, std::int64_t nulls) {
  auto array = std::make_shared<ArrayData>();
  array->format = "u";
  array->length = rows();
  array->null_count = nulls;
  array->buffers = {validity, SharedBuffer(std::move(offsets_[part])), SharedBuffer(std::move(texts_[part]))};
  return array;
}

Assets Chunk::finish() {
  const auto nulls = static_cast<std::int64_t>(notes_.size());
  SharedBuffer validity;
  if (nulls != 0) {
    std::vector<std::uint8_t> bits(static_cast<std::size_t>((rows() + 7) / 8), 0xFF);
    for (const Note& note : notes_) {
      auto& byte = bits[static_cast<std::size_t>(note.row >> 3)];
      byte = static_cast<std::uint8_t>(byte & ~(1 << (note.row & 7)));
    }
    validity = SharedBuffer(std::move(bits));
  }
  std::vector<Field> fields;
  if (program_.parts.empty()) {
    fields.push_back({"asset", text_array(0, validity, nulls)});
  } else {
    auto parts = std::make_shared<ArrayData>();
    parts->format = "+s";
    parts->length = rows();
    parts->null_count = nulls;
    parts->buffers = {validity};
    for (std::size_t part = 0; part < texts_.size(); ++part) {
      parts->children.push_back({program_.parts[part], text_array(part, validity, nulls)});
    }
    fields.push_back({"parts", std::move(parts)});
  }
  return {notes(), make_struct_array(rows(), std::move(fields))};
}

}  // namespace labfactory
