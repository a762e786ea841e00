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
    REQUIRE(row.set_text(1, text));
    CHECK(batch.column(1).text(0) == text);
  }
  for (const std::int64_t number : {-32768, 0, 32767}) {
    REQUIRE(row.set_integer(0, number));
    CHECK(batch.column(0).integer(0) == number);
  }
  REQUIRE(row.set_boolean(2, true));
  CHECK(batch.column(2).boolean(0));
  REQUIRE(row.set_boolean(2, false));
  CHECK_FALSE(batch.column(2).boolean(0));
  row.set_null(2);
  CHECK_FALSE(batch.column(2).is_valid(0));
  CHECK(batch.column(1).is_valid(0));
}

TEST_CASE("what a column cannot hold as it is, is not set") {
  RowValues row(
      {type("i", Layout::int8, "c"), type("u", Layout::uint64, "L"), type("n", Layout::list, "+l")});
  REQUIRE(row.set_integer(0, 7));
  CHECK_FALSE(row.set_integer(0, 128));
  CHECK_FALSE(row.set_floating(0, 1.0));
  CHECK_FALSE(row.set_text(0, "x"));
  CHECK_FALSE(row.set_boolean(0, true));
  CHECK(row.batch()->column(0).integer(0) == 7);
  CHECK_FALSE(row.set_integer(1, -1));
  CHECK(row.set_unsigned(1, std::numeric_limits<std::uint64_t>::max()));
  CHECK(row.batch()->column(1).exceeds_int64(0));
  CHECK_FALSE(row.set_integer(2, 0));
  CHECK_FALSE(row.batch()->column(2).is_valid(0));
}

TEST_CASE("moments are set in whole units of their type") {
  DataType seconds = type("s", Layout::timestamp, "tss:");
  seconds.unit = TimeUnit::second;
  DataType nanoseconds = type("n", Layout::duration, "tDn");
  nanoseconds.unit = TimeUnit::nanosecond;
  RowValues row({seconds, nanoseconds, type("d", Layout::date32, "tdD"), type("D", Layout::date64, "tdm")});
  REQUIRE(row.set_microseconds(0, -2'000'000));
  CHECK(row.batch()->column(0).integer(0) == -2);
  CHECK_FALSE(row.set_microseconds(0, 1'500'000));
  REQUIRE(row.set_microseconds(1, -3));
  CHECK(row.batch()->column(1).integer(0) == -3000);
  CHECK_FALSE(row.set_microseconds(1, std::numeric_limits<std::int64_t>::max() / 999));
  REQUIRE(row.set_date(2, -719'162));
  CHECK(row.batch()->column(2).integer(0) == -719'162);
  REQUIRE(row.set_date(3, 2));
  CHECK(row.batch()->column(3).integer(0) == 172'800'000);
  CHECK_FALSE(row.set_microseconds(2, 0));
  CHECK_FALSE(row.set_date(0, 0));
}

TEST_CASE("a row without columns is a row") {
  const RowValues row({});
  CHECK(row.batch()->length() == 1);
  CHECK(row.size() == 0);
}
