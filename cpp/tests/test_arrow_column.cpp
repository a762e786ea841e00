#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/arrow/keys.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"

using namespace labfactory;

namespace {

ArrayPointer node(std::string format, std::int64_t length, std::vector<SharedBuffer> buffers,
                  std::vector<Field> children = {}) {
  ArrayData array;
  array.format = std::move(format);
  array.length = length;
  array.buffers = std::move(buffers);
  array.children = std::move(children);
  return std::make_shared<const ArrayData>(std::move(array));
}

// Exports, lets the test damage or slice the structs, imports; both structs must be gone afterwards.
std::shared_ptr<const Batch> import_changed(const ArrayPointer& array,
                                            const std::function<void(ArrowSchema&, ArrowArray&)>& change) {
  ArrowSchema schema;
  ArrowArray exported;
  export_schema(*array, &schema, "it");
  export_array(array, &exported);
  change(schema, exported);
  try {
    auto batch = import_array(&schema, &exported);
    CHECK_FALSE(static_cast<bool>(schema.release));
    CHECK_FALSE(static_cast<bool>(exported.release));
    return batch;
  } catch (...) {
    CHECK_FALSE(static_cast<bool>(schema.release));
    CHECK_FALSE(static_cast<bool>(exported.release));
    throw;
  }
}

std::string code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::source);
    CHECK_FALSE(std::string(error.what()).empty());
    return error.code();
  }
  return "none";
}

std::string code_of_changed(const ArrayPointer& array,
                            const std::function<void(ArrowSchema&, ArrowArray&)>& change) {
  return code_of([&] { (void)import_changed(array, change); });
}

const std::vector<std::optional<std::string_view>> kTexts = {"a", "bb", std::nullopt, "dddd"};

ArrayPointer integers() {
  return make_array(std::vector<std::int32_t>{1, 2, 3, 4});
}
ArrayPointer lists() {
  return node("+l", 3, {SharedBuffer(), std::vector<std::int32_t>{0, 1, 3, 4}}, {{"item", integers()}});
}

}  // namespace

TEST_CASE("the offset of a struct applies to its children, on top of their own") {
  const ArrayPointer array =
      make_struct_array(4, {{"text", make_text_array(kTexts)}, {"number", integers()}});
  const auto batch = import_changed(array, [](ArrowSchema&, ArrowArray& exported) {
    exported.offset = 1;
    exported.length = 2;
    exported.children[0]->offset = 1;
    exported.children[0]->length = 3;
  });
  CHECK(batch->length() == 2);
  CHECK_FALSE(batch->column("text").is_valid(0));
  CHECK(batch->column("text").text(1) == "dddd");
  CHECK(batch->column("number").integer(0) == 2);
}

TEST_CASE("the offset of a list moves its rows, not its items") {
  const auto batch = import_changed(lists(), [](ArrowSchema&, ArrowArray& exported) {
    exported.offset = 1;
    exported.length = 1;
  });
  const Range items = batch->root().list_range(0);
  CHECK(items.first == 1);
  CHECK(items.last == 3);
  CHECK(batch->root().child(0).integer(items.first) == 2);
}

TEST_CASE("lists of fixed size count their items by the row") {
  const ArrayPointer array = node("+w:2", 2, {SharedBuffer()}, {{"item", integers()}});
  const auto batch = import_changed(array, [](ArrowSchema&, ArrowArray& exported) {
    exported.offset = 1;
    exported.length = 1;
  });
  CHECK(batch->root().list_range(0).first == 2);
  CHECK(batch->root().list_range(0).size() == 2);
}

TEST_CASE("a null entry of a dictionary makes its rows null") {
  ArrayData array = *make_array(std::vector<std::int32_t>{0, 2, 3, 0});
  array.dictionary = make_text_array(kTexts);
  const auto batch =
      import_changed(std::make_shared<const ArrayData>(array), [](ArrowSchema&, ArrowArray& exported) {
        exported.offset = 1;
        exported.length = 3;
      });
  CHECK(batch->root().has_nulls());
  CHECK_FALSE(batch->root().is_valid(0));
  CHECK(batch->root().text(1) == "dddd");
  CHECK(batch->root().text(2) == "a");
}

TEST_CASE("broken arrays are refused, and released") {
  const auto check = [](const ArrayPointer& array, const std::function<void(ArrowArray&)>& change) {
    CHECK(code_of_changed(array, [&](ArrowSchema&, ArrowArray& exported) { change(exported); }) ==
          "arrow_malformed");
  };
  check(integers(), [](ArrowArray& array) { array.length = -1; });
  check(integers(), [](ArrowArray& array) { array.offset = -1; });
  check(integers(), [](ArrowArray& array) { array.offset = INT64_MAX; });
  check(integers(), [](ArrowArray& array) { array.n_buffers = 1; });
  check(integers(), [](ArrowArray& array) { array.buffers[1] = nullptr; });
  check(integers(), [](ArrowArray& array) { array.null_count = 1; });
  check(integers(), [](ArrowArray& array) { array.null_count = 5; });
  check(integers(), [](ArrowArray& array) { array.null_count = -2; });
  check(make_text_array(kTexts), [](ArrowArray& array) { array.buffers[1] = nullptr; });
  check(make_text_array(kTexts), [](ArrowArray& array) { array.buffers[2] = nullptr; });
  check(make_text_array({5, 3}, std::vector<char>(5)), [](ArrowArray&) {});
  check(make_text_array({-1, 3}, std::vector<char>(5)), [](ArrowArray&) {});
  check(make_text_array({0, 4, 2, 5}, std::vector<char>(5)), [](ArrowArray&) {});
  check(make_large_text_array({0, 4, 2, 5}, std::vector<char>(5)), [](ArrowArray&) {});
  check(lists(), [](ArrowArray& array) { array.children[0]->length = 3; });
  check(lists(), [](ArrowArray& array) { array.n_children = 0; });
  check(lists(), [](ArrowArray& array) { array.children = nullptr; });
  check(node("+l", 2, {SharedBuffer(), std::vector<std::int32_t>{0, 4, 2}}, {{"item", integers()}}),
        [](ArrowArray&) {});
  check(node("+w:3", 2, {SharedBuffer()}, {{"item", integers()}}), [](ArrowArray&) {});
  check(make_struct_array(4, {{"number", integers()}}), [](ArrowArray& array) { array.length = 5; });
  check(make_struct_array(4, {{"number", integers()}}), [](ArrowArray& array) { array.offset = 1; });
  const std::vector<std::string> entries = {"x"};
  check(make_dictionary_array(std::vector<std::int8_t>{0, 1}, entries), [](ArrowArray&) {});
  check(make_dictionary_array(std::vector<std::int8_t>{0, -1}, entries), [](ArrowArray&) {});
}

TEST_CASE("offsets that fall are refused wherever they do") {
  constexpr std::size_t kRows = 40;
  for (std::size_t at = 0; at <= kRows; ++at) {
    std::vector<std::int32_t> narrow(kRows + 1);
    for (std::size_t i = 0; i <= kRows; ++i) narrow[i] = static_cast<std::int32_t>(3 * i);
    if (at > 0) narrow[at] = narrow[at - 1] - 1;
    const std::vector<std::int64_t> wide(narrow.begin(), narrow.end());
    const std::string expected = at > 0 ? "arrow_malformed" : "none";
    const auto code = [](const ArrayPointer& array) {
      return code_of_changed(array, [](ArrowSchema&, ArrowArray&) {});
    };
    CHECK(code(make_text_array(narrow, std::vector<char>(3 * kRows))) == expected);
    CHECK(code(make_large_text_array(wide, std::vector<char>(3 * kRows))) == expected);
  }
}

TEST_CASE("an offset that falls past the largest is refused as the last one too") {
  const std::vector<std::int32_t> offsets = {0, std::numeric_limits<std::int32_t>::max(),
                                             std::numeric_limits<std::int32_t>::min()};
  CHECK(code_of_changed(make_text_array(offsets, std::vector<char>(8)), [](ArrowSchema&, ArrowArray&) {}) ==
        "arrow_malformed");
}

TEST_CASE("a dictionary index under a null is not looked at") {
  const std::vector<std::string> entries = {"x"};
  Bitmap validity;
  validity.append(true);
  validity.append(false);
  const auto batch = import_changed(make_dictionary_array(std::vector<std::int8_t>{0, 9}, entries, validity),
                                    [](ArrowSchema&, ArrowArray&) {});
  CHECK(batch->root().text(0) == "x");
  CHECK_FALSE(batch->root().is_valid(1));
}

TEST_CASE("views that leave their buffers are refused wherever they stand") {
  using View = std::array<std::int32_t, 4>;  // bytes, the first of them, buffer, offset
  const auto code = [](const View& view, bool is_valid = true) {
    std::vector<View> views(5, View{13, 0, 1, 7});
    views[1] = {12, 0, 99, 99};
    views[3] = view;
    const std::vector<std::uint8_t> validity = {static_cast<std::uint8_t>(is_valid ? 31 : 23)};
    const ArrayPointer array = node(
        "vu", 5,
        {validity, views, std::vector<char>(8), std::vector<char>(20), std::vector<std::int64_t>{8, 20}});
    return code_of_changed(array, [](ArrowSchema&, ArrowArray& exported) { exported.null_count = -1; });
  };
  CHECK(code({20, 0, 1, 0}) == "none");
  for (const View& view : {View{20, 0, 1, 1},
                           {13, 0, 0, 0},
                           {13, 0, 2, 0},
                           {13, 0, -1, 0},
                           {13, 0, 1, -1},
                           {13, 0, 1, INT32_MAX},
                           {INT32_MAX, 0, 1, 0},
                           {-1, 0, 1, 0}}) {
    CHECK(code(view) == "arrow_malformed");
    CHECK(code(view, false) == "none");
  }
}

TEST_CASE("buffers of views are there, as large as said") {
  const std::vector<std::array<std::int32_t, 4>> views = {{13, 0, 0, 0}};
  const ArrayPointer array =
      node("vu", 1, {SharedBuffer(), views, std::vector<char>(13), std::vector<std::int64_t>{13}});
  const auto code = [&](const std::function<void(ArrowArray&)>& change) {
    return code_of_changed(array, [&](ArrowSchema&, ArrowArray& exported) { change(exported); });
  };
  const std::int64_t negative = -1;
  CHECK(code([](ArrowArray&) {}) == "none");
  CHECK(code([](ArrowArray& exported) { exported.n_buffers = 3; }) == "arrow_malformed");
  CHECK(code([](ArrowArray& exported) { exported.buffers[2] = nullptr; }) == "arrow_malformed");
  CHECK(code([](ArrowArray& exported) { exported.buffers[3] = nullptr; }) == "arrow_malformed");
  CHECK(code([&](ArrowArray& exported) { exported.buffers[3] = &negative; }) == "arrow_malformed");
}

TEST_CASE("of a dictionary larger than its batch the entries that rows have are looked at") {
  const auto code = [](std::int8_t entry) {
    ArrayData array = *make_array(std::vector<std::int8_t>{0, entry});
    array.dictionary = make_text_array({0, 1, 2, 5, 3}, std::vector<char>(5));
    return code_of_changed(std::make_shared<const ArrayData>(array), [](ArrowSchema&, ArrowArray&) {});
  };
  CHECK(code(2) == "none");
  CHECK(code(3) == "arrow_malformed");
}

TEST_CASE("several threads refuse what one refuses, in its words") {
  constexpr std::size_t kRows = 200'000;
  const auto message = [](std::size_t first_fall, std::size_t second_fall, std::int64_t bad_view,
                          int threads) {
    std::vector<std::vector<std::int32_t>> offsets(2, std::vector<std::int32_t>(kRows + 1));
    if (first_fall != 0) offsets[0][first_fall] = 1;
    if (second_fall != 0) offsets[1][second_fall] = 1;
    std::vector<std::array<std::int32_t, 4>> views(kRows, {13, 0, 0, 7});
    if (bad_view != 0) views[static_cast<std::size_t>(bad_view)][3] = 8;
    const ArrayPointer array = make_struct_array(
        kRows, {{"a", make_text_array(offsets[0], std::vector<char>(1))},
                {"number", make_array(std::vector<std::int8_t>(kRows))},
                {"b", make_text_array(offsets[1], std::vector<char>(1))},
                {"c", node("vu", kRows,
                           {SharedBuffer(), views, std::vector<char>(20), std::vector<std::int64_t>{20}})}});
    ArrowSchema schema;
    ArrowArray exported;
    export_schema(*array, &schema);
    export_array(array, &exported);
    try {
      (void)import_batch(&schema, &exported, threads);
      return std::string("none");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(message(0, 0, 0, 2) == "none");
  // The last row of a share, the first of the next one, the last of all but one.
  for (const std::size_t row : {std::size_t{1}, std::size_t{65'535}, std::size_t{65'536}, kRows - 1}) {
    const auto view = static_cast<std::int64_t>(row);
    for (const auto& [first, second, bad] : {std::tuple{row, std::size_t{0}, std::int64_t{0}},
                                             {std::size_t{0}, row, std::int64_t{0}},
                                             {std::size_t{0}, std::size_t{0}, view},
                                             {kRows - 1, std::size_t{1}, std::int64_t{1}}}) {
      const std::string alone = message(first, second, bad, 1);
      CHECK(alone != "none");
      for (const int threads : {2, 3}) CHECK(message(first, second, bad, threads) == alone);
    }
  }
}

TEST_CASE("broken schemas are refused, and released") {
  const auto check = [](const ArrayPointer& array, const std::function<void(ArrowSchema&)>& change) {
    CHECK(code_of_changed(array, [&](ArrowSchema& schema, ArrowArray&) { change(schema); }) ==
          "arrow_malformed");
  };
  check(integers(), [](ArrowSchema& schema) { schema.format = nullptr; });
  check(integers(), [](ArrowSchema& schema) { schema.format = "w:x"; });
  check(integers(), [](ArrowSchema& schema) { schema.format = "w:"; });
  check(integers(), [](ArrowSchema& schema) { schema.format = "d:3"; });
  check(lists(), [](ArrowSchema& schema) { schema.n_children = 0; });
  check(lists(), [](ArrowSchema& schema) { schema.n_children = -1; });
  check(lists(), [](ArrowSchema& schema) { schema.format = "+m"; });
}

TEST_CASE("an unread format fails only when it is read") {
  const ArrayPointer half = node("e", 2, {SharedBuffer(), std::vector<std::int32_t>{0}});
  const auto batch = import_changed(make_struct_array(2, {{"half", half}, {"number", integers()}}),
                                    [](ArrowSchema&, ArrowArray&) {});
  CHECK(batch->column("number").integer(1) == 2);
  CHECK(code_of([&] { (void)batch->column("half"); }) == "arrow_format");
  CHECK(code_of([&] { (void)batch->root().field("half"); }) == "arrow_format");
}

TEST_CASE("columns are found by name, and a wrong name is told") {
  const auto batch =
      import_changed(make_struct_array(4, {{"a", integers()}, {"b", integers()}, {"b", integers()}}),
                     [](ArrowSchema&, ArrowArray&) {});
  CHECK(batch->find("nothing") == nullptr);
  CHECK(batch->index("a") == 0);
  CHECK(code_of([&] { (void)batch->column("nothing"); }) == "missing_column");
  CHECK(code_of([&] { (void)batch->column("b"); }) == "duplicate_column");
}

TEST_CASE("a record batch is a struct without nulls, and is consumed once") {
  ArrowSchema schema;
  ArrowArray exported;
  export_schema(*integers(), &schema);
  export_array(integers(), &exported);
  CHECK(code_of([&] { (void)import_batch(&schema, &exported); }) == "arrow_malformed");
  CHECK(code_of([&] { (void)import_batch(&schema, &exported); }) == "arrow_malformed");

  Bitmap validity;
  for (int i = 0; i < 4; ++i) validity.append(i != 2);
  const ArrayPointer holed = make_struct_array(4, {{"a", integers()}}, validity);
  export_schema(*holed, &schema);
  export_array(holed, &exported);
  CHECK(code_of([&] { (void)import_batch(&schema, &exported); }) == "arrow_malformed");
}

TEST_CASE("types print as people write them") {
  ArrowSchema schema;
  export_schema(*make_struct_array(4, {{"a", lists()}, {"b", integers()}}), &schema);
  const DataType type = parse_schema(schema);
  CHECK(type_name(type) == "struct<a: list<int32>, b: int32>");
  schema.release(&schema);
}

TEST_CASE("keys hash as their text") {
  const auto hashes_of = [](const ArrayPointer& keys) {
    const auto batch = import_changed(keys, [](ArrowSchema&, ArrowArray&) {});
    return import_changed(hash_keys(batch->root()), [](ArrowSchema&, ArrowArray&) {});
  };
  const auto hashes = hashes_of(make_array(std::vector<std::int64_t>{7, -12}));
  CHECK(static_cast<std::uint64_t>(hashes->root().integer(0)) == hash64("7"));
  CHECK(static_cast<std::uint64_t>(hashes->root().integer(1)) == hash64("-12"));
  const auto texts = hashes_of(make_text_array(kTexts));
  CHECK(static_cast<std::uint64_t>(texts->root().integer(1)) == hash64("bb"));
  CHECK_FALSE(texts->root().is_valid(2));
  CHECK(code_of([&] { (void)hashes_of(make_array(std::vector<double>{1.0})); }) == "key_type");
}
