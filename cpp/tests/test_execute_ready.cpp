// Texts that are made ready a column at a time: the same as those written one by one, at every dispatch
// level, and no load or store outside of what may be touched.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/ready_kernels.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {
namespace {

using Random = std::mt19937_64;

std::vector<const ReadyKernels*> all_kernels() {
  std::vector<const ReadyKernels*> all{&ready_kernels_plain()};
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) all.push_back(&ready_kernels_avx2());
#endif
  return all;
}

std::string random_text(Random& random) {
  constexpr std::string_view kCharacters = "abcdefgh &<>'\"\xc3\xa9";
  std::string text(random() % 8 == 0 ? random() % 400 : random() % 40, 'x');
  // Mostly plain, and now and then special in one place or everywhere.
  const auto way = random() % 3;
  for (char& c : text) {
    if (way == 1) c = kCharacters[random() % kCharacters.size()];
  }
  if (way == 2 && !text.empty()) text[random() % text.size()] = "&<>'\""[random() % 5];
  return text;
}

std::string escaped(std::string_view text) {
  std::string out(escaped_bound(text.size()), '\0');
  out.resize(static_cast<std::size_t>(write_escaped_plain(out.data(), text) - out.data()));
  return out;
}

// Scratch memory that ends where a sanitizer sees it.
struct OwnScratch {
  explicit OwnScratch(std::size_t bytes) : memory(kShortText + bytes + kEscapeSlack + kShortText) {}
  Scratch scratch() {
    return {memory.data() + kShortText, memory.data() + memory.size() - kEscapeSlack - kShortText,
            escape_writer()};
  }
  std::vector<char> memory;
};

void check(const Piece& piece, const std::string& text, bool is_escaped) {
  const std::string expected = is_escaped ? escaped(text) : text;
  REQUIRE(std::string_view(piece.text, piece.size) == expected);
  if (piece.size >= kShortText) return;
  char loaded[kShortText];
  std::memcpy(loaded, piece.text, kShortText);
  CHECK(std::string_view(loaded, piece.size) == expected);
  // What lies before it may be loaded; a sanitizer sees where it may not.
  char before[kShortText];
  std::memcpy(before, piece.text - kShortText, kShortText);
  CHECK(std::string_view(before, kShortText).size() == kShortText);
}

// Pieces of a column with others between them.
struct Column {
  Column(Random& random, std::size_t count)
      : count(count), step(1 + static_cast<std::int64_t>(random() % 3)), memory(count * 3) {}
  [[nodiscard]] Pieces out() { return {memory.data(), step}; }
  [[nodiscard]] const Piece& operator[](std::size_t i) const {
    return memory[i * static_cast<std::size_t>(step)];
  }
  [[nodiscard]] std::size_t size() const { return count; }

  std::size_t count;
  std::int64_t step;
  std::vector<Piece> memory;
};

struct Texts {
  std::vector<std::string> texts;
  std::vector<std::uint8_t> validity;
  [[nodiscard]] bool is_valid(std::size_t i) const {
    return validity.empty() || (validity[i / 8] >> (i % 8) & 1) != 0;
  }
};

Texts random_texts(Random& random, std::size_t count) {
  Texts out;
  for (std::size_t i = 0; i < count; ++i) out.texts.push_back(random_text(random));
  if (random() % 2 == 0) {
    for (std::size_t i = 0; i < (count + 7) / 8; ++i)
      out.validity.push_back(static_cast<std::uint8_t>(random()));
  }
  return out;
}

void check_all(const Texts& texts, std::size_t first, const Column& pieces, bool is_escaped) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!texts.is_valid(first + i)) {
      check(pieces[i], "None", false);
    } else if (pieces[i].size == kNotReady) {
      CHECK((is_escaped && texts.texts[first + i].size() > 256));
    } else {
      check(pieces[i], texts.texts[first + i], is_escaped);
    }
  }
}

template <class Offset>
void check_offsets(Random& random, MakeTexts make) {
  const std::size_t count = 1 + random() % 200;
  const Texts texts = random_texts(random, count);
  std::vector<Offset> offsets{0};
  std::string all;
  for (const std::string& text : texts.texts) {
    all += text;
    offsets.push_back(static_cast<Offset>(all.size()));
  }
  const std::vector<char> bytes(all.begin(), all.end());
  const std::size_t first = random() % count;
  Column pieces(random, count - first);
  OwnScratch memory(1 << 16);
  Scratch scratch = memory.scratch();
  const bool is_escaped = random() % 2 == 0;
  const TextColumn column{.values = bytes.data(),
                          .offsets = reinterpret_cast<const char*>(offsets.data()),
                          .validity = texts.validity.empty() ? nullptr : texts.validity.data(),
                          .first_bit = 0,
                          .values_begin = bytes.data(),
                          .values_end = bytes.data() + bytes.size(),
                          .variadic = nullptr,
                          .variadic_bytes = nullptr,
                          .is_escaped = is_escaped};
  make(column, static_cast<std::int64_t>(first), static_cast<std::int64_t>(pieces.size()), pieces.out(),
       scratch);
  check_all(texts, first, pieces, is_escaped);
}

void check_views(Random& random, MakeTexts make) {
  const std::size_t count = 1 + random() % 200;
  const Texts texts = random_texts(random, count);
  std::string all;
  std::vector<char> views(count * 16, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& text = texts.texts[i];
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(&views[i * 16], &size, 4);
    std::memcpy(&views[i * 16 + 4], text.data(),
                std::min<std::size_t>(text.size(), text.size() <= 12 ? 12 : 4));
    if (text.size() <= 12) continue;
    const auto at = static_cast<std::int32_t>(all.size());
    std::memcpy(&views[i * 16 + 12], &at, 4);
    all += text;
  }
  const std::vector<char> bytes(all.begin(), all.end());
  const void* const buffers[1] = {bytes.data()};
  const std::int64_t sizes[1] = {static_cast<std::int64_t>(bytes.size())};
  const std::size_t first = random() % count;
  Column pieces(random, count - first);
  OwnScratch memory(1 << 16);
  Scratch scratch = memory.scratch();
  const bool is_escaped = random() % 2 == 0;
  const TextColumn column{.values = views.data(),
                          .offsets = nullptr,
                          .validity = texts.validity.empty() ? nullptr : texts.validity.data(),
                          .first_bit = 0,
                          .values_begin = views.data(),
                          .values_end = views.data() + views.size(),
                          .variadic = buffers,
                          .variadic_bytes = random() % 4 == 0 ? nullptr : sizes,
                          .is_escaped = is_escaped};
  make(column, static_cast<std::int64_t>(first), static_cast<std::int64_t>(pieces.size()), pieces.out(),
       scratch);
  check_all(texts, first, pieces, is_escaped);
}

struct Digits {
  Digits(Random& random, std::size_t count)
      : memory(kShortText + count * kNumberBytes + kShortText), pieces(random, count) {}
  [[nodiscard]] char* data() { return memory.data() + kShortText; }

  std::vector<char> memory;
  Column pieces;
};

}  // namespace

TEST_CASE("ready texts are what escaping gives, wherever they end") {
  Random random(5);
  for (int round = 0; round < 1000; ++round) {
    for (const ReadyKernels* kernels : all_kernels()) {
      check_offsets<std::int32_t>(random, kernels->utf8);
      check_offsets<std::int64_t>(random, kernels->large_utf8);
      check_views(random, kernels->views);
    }
  }
}

TEST_CASE("a text that scratch memory has no room for is not ready") {
  OwnScratch memory(200);
  Scratch scratch = memory.scratch();
  CHECK(make_other_text("a<b", true, scratch).size == 6);
  CHECK(make_other_text(std::string(64, '<'), true, scratch).size == kNotReady);
}

TEST_CASE("ready integers are what str prints") {
  Random random(6);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::int64_t> numbers(1 + random() % 12);
    for (auto& number : numbers) {
      number = static_cast<std::int64_t>(random()) >> (random() % 64);
      if (random() % 9 == 0) number = std::numeric_limits<std::int64_t>::min();
    }
    for (const ReadyKernels* kernels : all_kernels()) {
      Digits out(random, numbers.size());
      const Reader reader{.values = reinterpret_cast<const char*>(numbers.data())};
      kernels->integers(reader, 0, 0, static_cast<std::int64_t>(numbers.size()), out.data(),
                        out.pieces.out());
      for (std::size_t i = 0; i < numbers.size(); ++i)
        check(out.pieces[i], std::to_string(numbers[i]), false);
    }
  }
}

TEST_CASE("ready numbers are what the format prints, ties and signs included") {
  Random random(7);
  constexpr double kOdd[] = {0.0,
                             -0.0,
                             0.005,
                             0.015,
                             0.125,
                             2.5,
                             1e8,
                             1e9,
                             -1e9,
                             999999.995,
                             1e-300,
                             99999999.0,
                             0.499999,
                             12345678.875,
                             std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()};
  for (int round = 0; round < 20000; ++round) {
    std::vector<double> numbers(1 + random() % 9);
    for (double& number : numbers) {
      const auto whole = static_cast<double>(static_cast<std::int64_t>(random()) >> (20 + random() % 44));
      number = random() % 4 == 0 ? kOdd[random() % std::size(kOdd)]
                                 : whole / std::array<double, 5>{1, 8, 100, 1000, 3}[random() % 5];
    }
    const int precision = static_cast<int>(random() % 10);
    for (const ReadyKernels* kernels : all_kernels()) {
      Digits out(random, numbers.size());
      const Reader reader{.values = reinterpret_cast<const char*>(numbers.data())};
      kernels->fixed(reader, precision, 0, static_cast<std::int64_t>(numbers.size()), out.data(),
                     out.pieces.out());
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (out.pieces[i].size == kNotReady) {
          CHECK(!is_short_fixed(numbers[i], precision));
          continue;
        }
        std::string expected(fixed_bound(numbers[i], precision), '\0');
        expected.resize(
            static_cast<std::size_t>(write_fixed(expected.data(), numbers[i], precision) - expected.data()));
        check(out.pieces[i], expected, false);
      }
    }
  }
}

TEST_CASE("padded copies agree and keep to their slack") {
  std::vector<PaddedCopy> copies{copy_padded_plain};
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) copies.push_back(copy_padded_avx2);
#endif
  for (const PaddedCopy copy : copies) {
    for (std::size_t n = kShortText + 1; n < 700; ++n) {
      const std::size_t skew = n * 7 % 64;
      std::vector<char> from(n + kWideSlack);
      for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 31);
      std::vector<char> to(skew + n + kWideSlack);
      copy(to.data() + skew, from.data(), n);
      REQUIRE(std::memcmp(to.data() + skew, from.data(), n) == 0);
    }
  }
}

}  // namespace labfactory
