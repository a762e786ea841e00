#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "labfactory/values/format.hpp"

using namespace labfactory;

namespace {

template <typename Write>
std::string written(std::size_t bound, Write write) {
  const auto out = std::make_unique<char[]>(bound);
  const char* const end = write(out.get());
  CHECK(end <= out.get() + bound);
  return {out.get(), static_cast<std::size_t>(end - out.get())};
}

Conversion random_conversion(std::mt19937_64& random) {
  constexpr std::string_view kTypes = "dxXoeEfFgGsrc";
  Conversion conversion;
  conversion.type = kTypes[random() % kTypes.size()];
  conversion.is_left = random() % 2 != 0;
  conversion.has_plus = random() % 2 != 0;
  conversion.has_space = random() % 2 != 0;
  conversion.has_zero = random() % 2 != 0;
  conversion.is_alternate = random() % 2 != 0;
  conversion.width = random() % 2 != 0 ? static_cast<int>(random() % 1001) : 0;
  conversion.precision = static_cast<int>(random() % 4 == 0 ? random() % 1001 : random() % 20) - 1;
  return conversion;
}

}  // namespace

TEST_CASE("every conversion of every argument stays inside its bound") {
  std::mt19937_64 random(17);
  for (int round = 0; round < 20000; ++round) {
    const Conversion conversion = random_conversion(random);
    const auto integer = static_cast<std::int64_t>(random()) >> (random() % 64);
    if (conversion.integer_fault(integer) == FormatFault::none) {
      const std::string text = written(conversion.integer_bound(integer),
                                       [&](char* out) { return conversion.write_integer(out, integer); });
      CHECK(text.size() >= static_cast<std::size_t>(conversion.type == 'c' ? 0 : conversion.width));
    }
    const auto floating =
        random() % 2 != 0 ? std::bit_cast<double>(random()) : static_cast<double>(integer) / 100;
    if (conversion.floating_fault(floating) == FormatFault::none) {
      const std::string text = written(conversion.floating_bound(floating),
                                       [&](char* out) { return conversion.write_floating(out, floating); });
      CHECK(text.size() >= static_cast<std::size_t>(conversion.width));
    }
    const std::string text(random() % 30, 'x');
    if (conversion.text_fault(text) == FormatFault::none)
      written(conversion.text_bound(text), [&](char* out) { return conversion.write_text(out, text); });
  }
}

TEST_CASE("a format knows its arguments and literals") {
  const Format format("a%%b %5.2f c%s");
  CHECK(format.argument_count() == 2);
  CHECK(format.pieces()[0].literal == "a%b ");
  CHECK(format.pieces()[0].conversion.width == 5);
  CHECK(format.pieces()[0].conversion.precision == 2);
  CHECK(format.pieces()[1].literal == " c");
  CHECK(format.tail().empty());
  CHECK(format.literal_bytes() == 6);
}
