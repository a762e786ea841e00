#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"

using namespace labfactory;

namespace {

std::shared_ptr<const Batch> round_trip(const ArrayPointer& array) {
  ArrowSchema schema;
  ArrowArray exported;
  export_schema(*array, &schema);
  export_array(array, &exported);
  return import_array(&schema, &exported);
}

Bitmap bitmap(const std::vector<bool>& valid) {
  Bitmap made;
  for (const bool v : valid) made.append(v);
  return made;
}

}  // namespace

TEST_CASE("a bitmap remembers every row, wherever its first null falls") {
  for (std::size_t first = 0; first < 20; ++first) {
    std::vector<bool> valid(20, true);
    valid[first] = false;
    valid[19] = false;
    std::vector<std::int32_t> values(20, 5);
    const auto batch = round_trip(make_array(std::move(values), bitmap(valid)));
    for (std::size_t i = 0; i < valid.size(); ++i)
      CHECK(batch->root().is_valid(static_cast<std::int64_t>(i)) == valid[i]);
  }
}

TEST_CASE("a bitmap without a null costs no buffer") {
  CHECK(bitmap({true, true, true}).take().data == nullptr);
  CHECK(Bitmap(7).length() == 7);
}

TEST_CASE("arrays of every maker read back as they were made") {
  CHECK(round_trip(make_array(std::vector<std::int8_t>{-1, 2}))->root().integer(0) == -1);
  CHECK(round_trip(make_array(std::vector<std::int64_t>{-1, 2}))->root().integer(1) == 2);
  CHECK(round_trip(make_array(std::vector<float>{0.5F}))->root().floating(0) == 0.5);
  CHECK(round_trip(make_array(std::vector<double>{0.25}))->root().floating(0) == 0.25);
  const auto large = round_trip(make_array(std::vector<std::uint64_t>{1, UINT64_MAX}));
  CHECK_FALSE(large->root().exceeds_int64(0));
  CHECK(large->root().exceeds_int64(1));
  const std::vector<std::uint8_t> flags = {1, 0, 0, 1, 1, 0, 0, 0, 1};
  const auto booleans = round_trip(make_boolean_array(flags));
  for (std::size_t i = 0; i < flags.size(); ++i)
    CHECK(booleans->root().boolean(static_cast<std::int64_t>(i)) == (flags[i] != 0));
  const auto text = round_trip(make_large_text_array({0, 2, 2}, std::vector<char>{'a', 'b'}));
  CHECK(text->root().text(0) == "ab");
  CHECK(text->root().text(1).empty());
}

TEST_CASE("dictionary columns read through to their entries") {
  const std::vector<std::string> entries = {"ok", "error"};
  const auto batch = round_trip(
      make_dictionary_array(std::vector<std::int8_t>{1, 0, 0}, entries, bitmap({true, true, false})));
  const Column& column = batch->root();
  CHECK(column.layout() == Layout::dictionary);
  CHECK(column.value_layout() == Layout::utf8);
  CHECK(column.text(0) == "error");
  CHECK(column.text(1) == "ok");
  CHECK_FALSE(column.is_valid(2));
}

TEST_CASE("one array may be exported again and again") {
  const std::vector<std::optional<std::string_view>> texts = {"a", std::nullopt, "c"};
  const ArrayPointer array = make_struct_array(3, {{"name", make_text_array(texts)}});
  const auto first = round_trip(array);
  const auto second = round_trip(array);
  CHECK(first->column("name").text(2) == "c");
  CHECK(second->column("name").text(2) == "c");
  CHECK_FALSE(first->column("name").is_valid(1));
}

TEST_CASE("a child that the consumer moved out outlives its parent") {
  const std::vector<std::optional<std::string_view>> texts = {"kept"};
  ArrowArray exported;
  ArrowSchema schema;
  {
    const ArrayPointer array = make_struct_array(1, {{"name", make_text_array(texts)}});
    export_array(array, &exported);
    export_schema(*array, &schema);
  }
  UniqueArray child(exported.children[0]);
  UniqueSchema child_schema(schema.children[0]);
  exported.release(&exported);
  schema.release(&schema);
  CHECK_FALSE(static_cast<bool>(exported.release));
  const Batch batch(std::move(child_schema), std::move(child));
  CHECK(batch.root().text(0) == "kept");
}

TEST_CASE("pooled buffers come back when the consumer releases, on any thread") {
  const std::int64_t before = BufferPool::outstanding();
  PooledBuffer bytes = BufferPool::acquire(5);
  std::memcpy(bytes.data(), "hello", 5);
  ArrowArray exported;
  export_array(make_text_array({0, 5}, std::move(bytes)), &exported);
  CHECK(BufferPool::outstanding() == before + 1);
  std::thread([&] { exported.release(&exported); }).join();
  CHECK(BufferPool::outstanding() == before);
}
