#include "labfactory/values/lines.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// Pieces that are gathered in the arena.
class Gathered {
 public:
  explicit Gathered(Arena& arena) : arena_(arena) {}

  void add(std::string_view piece) {
    if (count_ == room_) grow();
    pieces_[count_++] = piece;
  }
  void reverse() { std::reverse(pieces_, pieces_ + count_); }
  [[nodiscard]] Pieces pieces() const { return {pieces_, count_}; }

 private:
  void grow() {
    room_ = room_ == 0 ? 8 : 2 * room_;
    auto* const moved =
        reinterpret_cast<std::string_view*>(arena_.allocate(room_ * sizeof(std::string_view)));
    std::copy_n(pieces_, count_, moved);
    pieces_ = moved;
  }

  Arena& arena_;
  std::string_view* pieces_ = nullptr;
  std::size_t count_ = 0;
  std::size_t room_ = 0;
};

// What str.splitlines ends a line at.
bool ends_line(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::int64_t unbounded(std::int64_t most) {
  return most < 0 ? std::numeric_limits<std::int64_t>::max() : most;
}

// Where the leading (white or not) characters of a text end.
std::size_t run(std::string_view text, bool white) {
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint next = decode_code_point(text.substr(at));
    if (is_space(next.value) != white) break;
    at += next.bytes;
  }
  return at;
}

// Where the trailing (white or not) characters of a text begin.
std::size_t run_back(std::string_view text, bool white) {
  std::size_t at = text.size();
  while (at > 0) {
    const CodePoint last = last_code_point(text.substr(0, at));
    if (is_space(last.value) != white) break;
    at -= last.bytes;
  }
  return at;
}

Pieces split_words_back(std::string_view text, std::int64_t most, Arena& arena) {
  Gathered found(arena);
  for (std::int64_t left = unbounded(most);; --left) {
    text = text.substr(0, run_back(text, true));
    if (text.empty()) break;
    if (left == 0) {
      found.add(text);
      break;
    }
    const std::size_t start = run_back(text, false);
    found.add(text.substr(start));
    text = text.substr(0, start);
  }
  found.reverse();
  return found.pieces();
}

// A line as the characters of a regular expression.
class Line {
 public:
  Line(std::string_view text, Arena& arena) : text_(text) {
    characters_ = reinterpret_cast<char32_t*>(arena.allocate(text.size() * sizeof(char32_t)));
    offsets_ = reinterpret_cast<std::size_t*>(arena.allocate((text.size() + 1) * sizeof(std::size_t)));
    size_ = 0;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint next = decode_code_point(text.substr(at));
      characters_[size_] = next.value;
      offsets_[size_++] = at;
      at += next.bytes;
    }
    offsets_[size_] = text.size();
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view part(std::size_t from, std::size_t to) const {
    return text_.substr(offsets_[from], offsets_[to] - offsets_[from]);
  }
  [[nodiscard]] char32_t operator[](std::size_t i) const { return characters_[i]; }
  [[nodiscard]] bool is(std::size_t i, char32_t c) const { return i < size_ && characters_[i] == c; }
  // [\t\n\x0b\x0c\r ]
  [[nodiscard]] bool is_white(std::size_t i) const {
    return characters_[i] == U' ' || (characters_[i] >= 0x09 && characters_[i] <= 0x0d);
  }
  // [^\d\W]
  [[nodiscard]] bool is_letter(std::size_t i) const {
    return i < size_ && is_word(characters_[i]) && decimal_digit(characters_[i]) < 0;
  }
  // [\w!"\'&.,?]
  [[nodiscard]] bool is_punctuated(std::size_t i) const {
    constexpr std::u32string_view kMarks = U"!\"'&.,?";
    return is_word(characters_[i]) || kMarks.find(characters_[i]) != kMarks.npos;
  }
  // Where a run of two or more hyphens ends that a word character follows; 0 where there is none.
  [[nodiscard]] std::size_t dash_end(std::size_t i) const {
    std::size_t end = i;
    while (is(end, U'-')) ++end;
    return end >= i + 2 && end < size_ && is_word(characters_[end]) ? end : 0;
  }

 private:
  std::string_view text_;
  char32_t* characters_;
  std::size_t* offsets_;
  std::size_t size_;
};

// One indivisible part of a line, in characters.
struct Chunk {
  std::size_t from;
  std::size_t to;
};

// Where textwrap's wordsep_re ends the chunk that begins at `from`: white space, a dash between words, or a
// word up to its end, a hyphen that may break or a dash behind it.
std::size_t chunk_end(const Line& line, std::size_t from) {
  if (line.is_white(from)) {
    std::size_t end = from;
    while (end < line.size() && line.is_white(end)) ++end;
    return end;
  }
  if (from > 0 && line.is_punctuated(from - 1)) {
    if (const std::size_t end = line.dash_end(from); end != 0) return end;
  }
  for (std::size_t end = from + 1;; ++end) {
    if (line.is(end, U'-')) {
      const bool behind =
          (end >= 2 && line.is_letter(end - 1) && line.is_letter(end - 2)) ||
          (end >= 3 && line.is_letter(end - 1) && line.is(end - 2, U'-') && line.is_letter(end - 3));
      const bool ahead = line.is_letter(end + 1) &&
                         (line.is_letter(end + 2) || (line.is(end + 2, U'-') && line.is_letter(end + 3)));
      if (behind && ahead) return end + 1;
    }
    if (end >= line.size() || line.is_white(end)) return end;
    if (line.is_punctuated(end - 1) && line.dash_end(end) != 0) return end;
  }
}

// The same where hyphens do not count.
std::size_t plain_chunk_end(const Line& line, std::size_t from) {
  const bool white = line.is_white(from);
  std::size_t end = from;
  while (end < line.size() && line.is_white(end) == white) ++end;
  return end;
}

// How much of a chunk that fits on no line goes on this one.
std::size_t break_point(const Line& line, Chunk chunk, std::size_t room, bool at_hyphens) {
  if (at_hyphens && chunk.to - chunk.from > room) {
    for (std::size_t i = chunk.from + room; i-- > chunk.from + 1;) {
      if (line[i] != U'-') continue;
      for (std::size_t j = chunk.from; j < i; ++j) {
        if (line[j] != U'-') return i + 1;
      }
      break;
    }
  }
  return std::min(chunk.from + room, chunk.to);
}

}  // namespace

Pieces split_lines(std::string_view text, bool keep_ends, Arena& arena) {
  Gathered found(arena);
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint next = decode_code_point(text.substr(at));
    if (!ends_line(next.value)) {
      at += next.bytes;
      continue;
    }
    const std::size_t bytes = text.substr(at, 2) == "\r\n" ? 2 : next.bytes;
    found.add(text.substr(start, at - start + (keep_ends ? bytes : 0)));
    start = at = at + bytes;
  }
  if (start < text.size()) found.add(text.substr(start));
  return found.pieces();
}

Pieces split_words(std::string_view text, std::int64_t most, bool from_end, Arena& arena) {
  if (from_end) return split_words_back(text, most, arena);
  Gathered found(arena);
  for (std::int64_t left = unbounded(most);; --left) {
    text.remove_prefix(run(text, true));
    if (text.empty()) break;
    if (left == 0) {
      // The last piece keeps its trailing white space.
      found.add(text);
      break;
    }
    const std::size_t word = run(text, false);
    found.add(text.substr(0, word));
    text.remove_prefix(word);
  }
  return found.pieces();
}

std::size_t find_last_text(std::string_view text, std::string_view part, Arena& arena) {
  constexpr std::size_t kShort = 32;
  if (part.size() <= kShort) return text.rfind(part);
  if (part.size() > text.size()) return std::string_view::npos;
  // The search of Knuth, Morris and Pratt over both read backwards: linear, where rfind takes the product.
  const auto at_back = [](std::string_view of, std::size_t i) { return of[of.size() - 1 - i]; };
  auto* const borders = reinterpret_cast<std::uint32_t*>(arena.allocate(part.size() * sizeof(std::uint32_t)));
  borders[0] = 0;
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < part.size(); ++i) {
    while (length > 0 && at_back(part, i) != at_back(part, length)) length = borders[length - 1];
    if (at_back(part, i) == at_back(part, length)) ++length;
    borders[i] = length;
  }
  length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    while (length > 0 && at_back(text, i) != at_back(part, length)) length = borders[length - 1];
    if (at_back(text, i) == at_back(part, length)) ++length;
    if (length == part.size()) return text.size() - 1 - i;
  }
  return std::string_view::npos;
}

Pieces split_fields(std::string_view text, std::string_view separator, std::int64_t most, bool from_end,
                    Arena& arena) {
  Gathered found(arena);
  for (std::int64_t left = unbounded(most); left != 0; --left) {
    const std::size_t at = from_end ? find_last_text(text, separator, arena) : find_text(text, separator);
    if (at == std::string_view::npos) break;
    if (from_end) {
      found.add(text.substr(at + separator.size()));
      text = text.substr(0, at);
    } else {
      found.add(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
  }
  found.add(text);
  if (from_end) found.reverse();
  return found.pieces();
}

std::optional<std::string_view> aligned(std::string_view text, Alignment alignment, std::int64_t width,
                                        std::string_view fill, Arena& arena, std::size_t limit) {
  const std::int64_t length = count_code_points(text);
  if (width <= length) return text;
  const std::int64_t missing = width - length;
  // CPython: the odd blank goes to the left where the width is odd.
  const std::int64_t before = alignment == Alignment::left    ? 0
                              : alignment == Alignment::right ? missing
                                                              : missing / 2 + (missing & width & 1);
  ArenaText out(arena, limit);
  const bool fits = out.append(static_cast<std::size_t>(before), fill) && out.append(text) &&
                    out.append(static_cast<std::size_t>(missing - before), fill);
  if (!fits) return std::nullopt;
  return out.text();
}

std::optional<std::string_view> zero_filled(std::string_view text, std::int64_t width, Arena& arena,
                                            std::size_t limit) {
  const std::int64_t length = count_code_points(text);
  if (width <= length) return text;
  const bool is_signed = !text.empty() && (text.front() == '+' || text.front() == '-');
  ArenaText out(arena, limit);
  const bool fits = out.append(text.substr(0, is_signed ? 1 : 0)) &&
                    out.append(static_cast<std::size_t>(width - length), "0") &&
                    out.append(text.substr(is_signed ? 1 : 0));
  if (!fits) return std::nullopt;
  return out.text();
}

std::optional<std::string_view> indented(std::string_view text, std::string_view indention, bool first,
                                         bool blank, Arena& arena, std::size_t limit) {
  // Jinja2 adds a newline before it splits, so that a last empty line counts; it ends that line alone.
  Pieces lines = split_lines(text, false, arena);
  const bool ends_open = text.empty() || [&] {
    const CodePoint last = last_code_point(text);
    // "\r" and the newline that is added are one end of a line.
    return ends_line(last.value) && last.value != U'\r';
  }();
  ArenaText out(arena, limit);
  bool fits = !first || out.append(indention);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0)
      fits = fits && out.append("\n") && (lines[i].empty() && !blank ? true : out.append(indention));
    fits = fits && out.append(lines[i]);
  }
  if (ends_open && !text.empty()) fits = fits && out.append("\n") && (!blank || out.append(indention));
  if (!fits) return std::nullopt;
  return out.text();
}

Pieces wrapped(std::string_view text, const Wrapping& wrapping, Arena& arena) {
  Gathered lines(arena);
  const Line line(text, arena);
  const std::size_t width = static_cast<std::uint64_t>(wrapping.width) > line.size()
                                ? line.size()
                                : static_cast<std::size_t>(wrapping.width);
  const auto is_blank = [&](Chunk chunk) { return strip_text(line.part(chunk.from, chunk.to)).empty(); };
  const auto chunk_at = [&](std::size_t from) {
    return Chunk{from, wrapping.split_at_hyphens ? chunk_end(line, from) : plain_chunk_end(line, from)};
  };
  std::size_t at = 0;
  // A chunk that was cut stays one chunk.
  Chunk next = at < line.size() ? chunk_at(at) : Chunk{0, 0};
  const auto advance = [&] {
    at = next.to;
    next = at < line.size() ? chunk_at(at) : Chunk{at, at};
  };
  while (at < line.size()) {
    if (!lines.pieces().empty() && is_blank(next)) advance();
    const std::size_t first = at;
    Chunk last{at, at};
    while (at < line.size() && next.to - first <= width) {
      last = next;
      advance();
    }
    if (at < line.size() && next.to - next.from > width) {
      if (wrapping.break_long_words) {
        const std::size_t cut = break_point(line, next, width - (at - first), wrapping.break_on_hyphens);
        last = {at, cut};
        at = next.from = cut;
        if (at == next.to) advance();
      } else if (at == first) {
        last = next;
        advance();
      }
    }
    if (last.to == first) continue;
    const std::size_t end = is_blank(last) ? last.from : last.to;
    if (end > first) lines.add(line.part(first, end));
  }
  return lines.pieces();
}

std::int64_t count_words(std::string_view text) {
  std::int64_t count = 0;
  bool within = false;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    const bool is_part = is_word(next.value);
    count += is_part && !within ? 1 : 0;
    within = is_part;
    text.remove_prefix(next.bytes);
  }
  return count;
}

}  // namespace labfactory
