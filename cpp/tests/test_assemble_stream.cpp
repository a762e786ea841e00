// The rows of a batch, whoever writes them: a stream and a whole batch give one text, on any number of
// threads.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/assemble/assembler.hpp"
#include "labfactory/assemble/asset_stream.hpp"
#include "labfactory/plan/program.hpp"

namespace labfactory {
namespace {

constexpr std::int64_t kRows = 30'000;

// x counts the rows, s is a text of which one in three needs escaping.
std::shared_ptr<const Batch> numbered_batch() {
  constexpr std::array<std::string_view, 3> kTexts = {"Ann", "<&>", ""};
  std::vector<std::int64_t> numbers;
  std::vector<std::optional<std::string_view>> texts;
  for (std::int64_t i = 0; i < kRows; ++i) {
    numbers.push_back(i);
    texts.emplace_back(kTexts[static_cast<std::size_t>(i % 3)]);
  }
  const ArrayPointer data =
      make_struct_array(kRows, {{"x", make_array(numbers)}, {"s", make_text_array(texts)}});
  ArrowSchema schema{};
  ArrowArray array{};
  export_schema(*data, &schema);
  export_array(data, &array);
  return import_batch(&schema, &array, 2);
}

// "row {{ x }} {{ s }}."
std::shared_ptr<const Assembler> row_assembler() {
  auto program = std::make_shared<Program>();
  program->columns = {{"x", -1, ColumnRole::root, LogicalType::integer},
                      {"s", -1, ColumnRole::root, LogicalType::text}};
  program->literals = {"row ", " ", "."};
  program->spans = {{0, 1, 1, 1}};
  program->sources = {"t"};
  program->limits = {1'000, 10'000};
  program->code = {{Opcode::emit_literal, {0}, 0}, {Opcode::emit_column_escaped, {0}, 0},
                   {Opcode::emit_literal, {1}, 0}, {Opcode::emit_column_escaped, {1}, 0},
                   {Opcode::emit_literal, {2}, 0}, {Opcode::end, {}, 0}};
  verify(*program);
  return std::make_shared<const Assembler>(program);
}

const std::string& expected() {
  static const std::string text = [] {
    constexpr std::array<std::string_view, 3> kWritten = {"Ann", "&lt;&amp;&gt;", ""};
    std::string all;
    for (std::int64_t i = 0; i < kRows; ++i) {
      all += "row " + std::to_string(i) + " ";
      all += kWritten[static_cast<std::size_t>(i % 3)];
      all += ".";
    }
    return all;
  }();
  return text;
}

// The texts of a chunk, whose last column they are, one behind the other.
std::string joined(const ArrayData& chunk) {
  const ArrayData& texts = *chunk.children.back().array;
  const auto* const offsets = static_cast<const std::int32_t*>(texts.buffers[1].data);
  return {static_cast<const char*>(texts.buffers[2].data), static_cast<std::size_t>(offsets[texts.length])};
}

std::string streamed(const std::shared_ptr<const Assembler>& assembler,
                     const std::shared_ptr<const Batch>& batch, const AssembleOptions& options) {
  AssetStream stream(assembler, batch, options);
  std::string all;
  while (const ArrayPointer chunk = stream.next()) {
    CHECK(stream.notes() == nullptr);
    all += joined(*chunk);
  }
  return all;
}

}  // namespace

TEST_CASE("a stream gives every row in order, however many threads write it") {
  const auto batch = numbered_batch();
  for (const int threads : {1, 2, 4}) {
    for (const std::int64_t bytes : {std::int64_t{5'000}, std::int64_t{64} << 20}) {
      // The first stream of an assembler does not know yet what a row takes, the second one does.
      const auto assembler = row_assembler();
      for (int turn = 0; turn < 2; ++turn) CHECK(streamed(assembler, batch, {threads, bytes}) == expected());
    }
  }
}

TEST_CASE("a batch assembled as a whole is the stream's text") {
  const auto batch = numbered_batch();
  for (const int threads : {1, 2, 4}) {
    std::string all;
    for (const ArrayPointer& chunk : row_assembler()->assemble(batch, {threads, 100'000}))
      all += joined(*chunk);
    CHECK(all == expected());
  }
}

TEST_CASE("a stream may end before its rows do") {
  const auto batch = numbered_batch();
  const auto assembler = row_assembler();
  for (int taken = 0; taken < 20; ++taken) {
    AssetStream stream(assembler, batch, {3, 20'000});
    std::string some;
    for (int i = 0; i < taken; ++i) some += joined(*stream.next());
    CHECK(expected().compare(0, some.size(), some) == 0);
  }
}

TEST_CASE("consumers on threads of their own share the threads that help") {
  const auto batch = numbered_batch();
  const auto assembler = row_assembler();
  std::vector<std::string> found(3);
  std::vector<std::thread> consumers;
  for (std::string& text : found)
    consumers.emplace_back([&] { text = streamed(assembler, batch, {2, 30'000}); });
  for (std::thread& consumer : consumers) consumer.join();
  for (const std::string& text : found) CHECK(text == expected());
}

}  // namespace labfactory
