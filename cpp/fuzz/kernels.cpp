// Fuzz target: escape and number kernels against their plain twins and the standard library.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory::fuzz {
namespace {

void check_escape(std::string_view text) {
  // A copy of its own size: a load behind the input is an error that the sanitizer sees.
  const std::vector<char> exact(text.begin(), text.end());
  const std::string_view input(exact.data(), exact.size());
  std::vector<char> plain(escaped_bound(input.size()));
  std::vector<char> wide(escaped_bound(input.size()));
  const char* const plain_end = write_escaped_plain(plain.data(), input);
  const char* const wide_end = write_escaped(wide.data(), input);
  const auto size = static_cast<std::size_t>(plain_end - plain.data());
  expect(static_cast<std::size_t>(wide_end - wide.data()) == size);
  expect(std::memcmp(plain.data(), wide.data(), size) == 0);
  expect(escaped_size(input) == size);
  Arena arena;
  expect(escape_text(input, arena) == std::string_view(plain.data(), size));
}

void check_text(std::string_view text) {
  Arena arena;
  std::int64_t count = 0;
  bool is_utf8 = true;
  for (std::string_view rest = text; !rest.empty(); ++count) {
    const CodePoint next = decode_code_point(rest);
    expect(next.bytes >= 1 && next.bytes <= rest.size());
    is_utf8 = is_utf8 && next.value != kNotUtf8;
    rest.remove_prefix(next.bytes);
  }
  // Other bytes are safe and mean nothing.
  expect(!is_utf8 || count_code_points(text) == count);
  expect(!is_utf8 || first_code_points(text, count) == text);
  expect(slice_text(text, 0, INT64_MAX).size() <= text.size());
  expect(upper_text(text, arena).size() <= 3 * text.size());
  expect(lower_text(text, arena).size() <= 3 * text.size());
  expect(capitalize_text(text, arena).size() <= 3 * text.size());
  expect(strip_text(text).size() <= text.size());
  std::int64_t parsed = 0;
  if (parse_integer(text, parsed) == ParsedInteger::ok) {
    std::array<char, kIntegerBound> written{};
    char* const end = write_integer(written.data(), parsed);
    std::int64_t again = 0;
    expect(parse_integer({written.data(), static_cast<std::size_t>(end - written.data())}, again) ==
           ParsedInteger::ok);
    expect(again == parsed);
  }
}

void check_numbers(std::uint64_t bits, int precision) {
  const auto integer = static_cast<std::int64_t>(bits);
  std::array<char, kReprBound> ours{};
  char* end = write_integer(ours.data(), integer);
  expect(std::string(ours.data(), end) == std::to_string(integer));
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  end = write_repr(ours.data(), value);
  if (!std::isfinite(value)) return;
  double back = 0;
  std::from_chars(ours.data(), end, back);
  expect(std::memcmp(&back, &value, sizeof value) == 0);
  std::vector<char> fixed(fixed_bound(value, precision));
  const char* const fixed_end = write_fixed(fixed.data(), value, precision);
  std::array<char, 512> expected{};
  const int size = std::snprintf(expected.data(), expected.size(), "%.*f", precision, value);
  expect(std::string_view(fixed.data(), static_cast<std::size_t>(fixed_end - fixed.data())) ==
         std::string_view(expected.data(), static_cast<std::size_t>(size)));
}

}  // namespace
}  // namespace labfactory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace labfactory::fuzz;
  Input input(data, size);
  check_numbers(input.word(), input.byte() % 20);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_escape(text);
  check_text(text);
  return 0;
}
