// printf formats as Python's `str % arguments` reads them.
// Owner: a Format owns its literals; writers write into the caller's buffer of the bound named beside them.
// Threads: immutable once parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace labfactory {

// No format asks for more columns or digits than this; a longer one is refused when it is parsed.
inline constexpr int kFormatLimit = 1000;

// Why an argument does not go with a conversion.
enum class FormatFault : std::uint8_t {
  none,
  type,   // TypeError: a number was needed and text was found, %x of a float, %c of more than one character
  value,  // ValueError: %d of nan
  overflow,   // OverflowError: %d of infinity, %c of a number that is no character
  surrogate,  // %c of a surrogate, which UTF-8 cannot hold
};

// One %-conversion. A fault must be asked for before the writer of the same kind is called.
struct Conversion {
  char type = 's';  // d x X o e E f F g G c s r; i and u are read as d
  bool is_left = false;
  bool has_plus = false;
  bool has_space = false;
  bool has_zero = false;
  bool is_alternate = false;
  int width = 0;
  int precision = -1;  // -1: not given

  // %s and %r of numbers print them as str does.
  [[nodiscard]] FormatFault integer_fault(std::int64_t value) const;
  [[nodiscard]] FormatFault floating_fault(double value) const;
  // For %r the text is already the repr.
  [[nodiscard]] FormatFault text_fault(std::string_view text) const;

  [[nodiscard]] std::size_t integer_bound(std::int64_t value) const;
  [[nodiscard]] std::size_t floating_bound(double value) const;
  [[nodiscard]] std::size_t text_bound(std::string_view text) const;

  char* write_integer(char* out, std::int64_t value) const;
  char* write_floating(char* out, double value) const;
  char* write_text(char* out, std::string_view text) const;
};

// A format: literal, conversion, literal, conversion, ..., tail.
class Format {
 public:
  struct Piece {
    std::string literal;  // stands before the conversion, %% already read as %
    Conversion conversion;
  };

  // Throws Error(compile, "format") for what Python refuses, for `*`, `%(name)s` and `%a`, and beyond
  // kFormatLimit.
  explicit Format(std::string_view text);

  // In order; one argument each.
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  // The literal after the last conversion.
  [[nodiscard]] const std::string& tail() const { return tail_; }
  [[nodiscard]] std::size_t argument_count() const { return pieces_.size(); }
  // Bytes of all literals.
  [[nodiscard]] std::size_t literal_bytes() const { return literal_bytes_; }

 private:
  std::vector<Piece> pieces_;
  std::string tail_;
  std::size_t literal_bytes_ = 0;
};

}  // namespace labfactory
