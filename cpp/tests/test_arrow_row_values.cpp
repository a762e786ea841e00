#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/arrow/row_values.hpp"

using namespace labfactory;

namespace {

DataType type(std::string name, Layout layout, std::string format) {
  DataType made;
  made.name = std::move(name);
  made.layout = layout;
  made.format = std::move(format);
  return made;
}

}  // namespace

TEST_CASE("values are read where they were set, row after row") {
  RowValues row(
      {type("i", Layout::int16, "s"), type("t", Layout::utf8, "u"), type("b", Layout::boolean, "b")});
  const Batch& batch = *row.batch();
  REQUIRE(batch.length() == 1);
  for (std::size_t i = 0; i < row.size(); ++i) CHECK_FALSE(batch.column(i).is_valid(0));
  for (const std::string& text : {std::string(), std::string("twelve bytes"), std::string(300, 'x')}) {
    REQUIRE(row.column(1).set_text(0, text));
    CHECK(batch.column(1).text(0) == text);
  }
  for (const std::int64_t number : {-32768, 0, 32767}) {
    REQUIRE(row.column(0).set_integer(0, number));
    CHECK(batch.column(0).integer(0) == number);
  }
  REQUIRE(row.column(2).set_boolean(0, true));
  CHECK(batch.column(2).boolean(0));
  REQUIRE(row.column(2).set_boolean(0, false));
  CHECK_FALSE(batch.column(2).boolean(0));
  row.column(2).set_null(0);
  CHECK_FALSE(batch.column(2).is_valid(0));
  CHECK(batch.column(1).is_valid(0));
}

TEST_CASE("what a column cannot hold as it is, is not set") {
  RowValues row(
      {type("i", Layout::int8, "c"), type("u", Layout::uint64, "L"), type("n", Layout::binary, "z")});
  REQUIRE(row.column(0).set_integer(0, 7));
  CHECK_FALSE(row.column(0).set_integer(0, 128));
  CHECK_FALSE(row.column(0).set_floating(0, 1.0));
  CHECK_FALSE(row.column(0).set_text(0, "x"));
  CHECK_FALSE(row.column(0).set_boolean(0, true));
  CHECK(row.batch()->column(0).integer(0) == 7);
  CHECK_FALSE(row.column(1).set_integer(0, -1));
  CHECK(row.column(1).set_unsigned(0, std::numeric_limits<std::uint64_t>::max()));
  CHECK(row.batch()->column(1).exceeds_int64(0));
  CHECK_FALSE(row.column(2).set_integer(0, 0));
  CHECK_FALSE(row.batch()->column(2).is_valid(0));
}

TEST_CASE("moments are set in whole units of their type") {
  DataType seconds = type("s", Layout::timestamp, "tss:");
  seconds.unit = TimeUnit::second;
  DataType nanoseconds = type("n", Layout::duration, "tDn");
  nanoseconds.unit = TimeUnit::nanosecond;
  RowValues row({seconds, nanoseconds, type("d", Layout::date32, "tdD"), type("D", Layout::date64, "tdm")});
  REQUIRE(row.column(0).set_microseconds(0, -2'000'000));
  CHECK(row.batch()->column(0).integer(0) == -2);
  CHECK_FALSE(row.column(0).set_microseconds(0, 1'500'000));
  REQUIRE(row.column(1).set_microseconds(0, -3));
  CHECK(row.batch()->column(1).integer(0) == -3000);
  CHECK_FALSE(row.column(1).set_microseconds(0, std::numeric_limits<std::int64_t>::max() / 999));
  REQUIRE(row.column(2).set_date(0, -719'162));
  CHECK(row.batch()->column(2).integer(0) == -719'162);
  REQUIRE(row.column(3).set_date(0, 2));
  CHECK(row.batch()->column(3).integer(0) == 172'800'000);
  CHECK_FALSE(row.column(2).set_microseconds(0, 0));
  CHECK_FALSE(row.column(0).set_date(0, 0));
}

TEST_CASE("lists of records and of lists are set anew for every row") {
  DataType tags = type("tags", Layout::list, "+l");
  tags.children = {type("item", Layout::utf8, "u")};
  DataType record = type("item", Layout::structure, "+s");
  record.children = {type("sku", Layout::int64, "l"), tags};
  DataType basket = type("basket", Layout::large_list, "+L");
  basket.children = {record};
  RowValues row({basket});
  const Column& lists = row.batch()->column(std::size_t{0});
  RowPlaces& places = row.column(0);
  for (const std::int64_t count : {3, 0, 200, 2}) {
    row.begin();
    std::int64_t first = -1;
    REQUIRE(places.set_list(0, count, first));
    CHECK(first == 0);
    for (std::int64_t i = 0; i < count; ++i) {
      RowPlaces& item = places.items();
      if (i == 1) {
        item.set_null(i);
        continue;
      }
      item.set_record(i);
      REQUIRE(item.field(0).set_integer(i, 10 * i));
      REQUIRE(item.field(1).set_list(i, 1, first));
      REQUIRE(
          item.field(1).items().set_text(first, i == 0 ? "tag number 0" : "tag number of more than twelve"));
    }
    REQUIRE(lists.list_range(0).size() == count);
    const Column& items = lists.child(0);
    for (std::int64_t i = 0; i < count; ++i) {
      CHECK(items.is_valid(i) == (i != 1));
      const Range range = items.child(1).list_range(i);
      REQUIRE(range.size() == (i == 1 ? 0 : 1));
      if (i != 1) CHECK(items.child(1).child(0).text(range.first).starts_with("tag number "));
      if (i != 1) CHECK(items.child(0).integer(i) == 10 * i);
    }
  }
  std::int64_t first = 0;
  CHECK_FALSE(places.set_list(0, 1'000, first));
}

TEST_CASE("a row without columns is a row") {
  RowValues row({});
  CHECK(row.batch()->length() == 1);
  CHECK(row.size() == 0);
}
