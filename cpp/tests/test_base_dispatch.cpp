#include <doctest/doctest.h>

#include "labfactory/base/dispatch.hpp"

using namespace labfactory;

TEST_CASE("a limit lowers the level and lifting it gives the level back") {
  const Level found = dispatch_level();
  limit_dispatch(Level::baseline);
  CHECK(dispatch_level() == Level::baseline);
  limit_dispatch(Level::avx512);
  CHECK(dispatch_level() == found);
}

TEST_CASE("levels are known by name") {
  for (const Level level : {Level::baseline, Level::avx2, Level::avx512})
    CHECK(level_of(level_name(level)) == level);
  CHECK_FALSE(level_of("sse2").has_value());
}
