#include "labfactory/execute/ready_texts.hpp"

#include <algorithm>
#include <span>

#include "labfactory/execute/relation.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// What fewer of the rows write than this is made when it is written.
constexpr double kLeastUses = 0.4;
// Items of a list that a block makes ready; those beyond, of rows with very long lists, are written plainly.
constexpr std::int64_t kReadyItems = 512;
// Texts of a block that are not copied from where they lie, of all columns together.
constexpr std::size_t kScratchBytes = std::size_t{64} << 10;
constexpr std::size_t kScratchSlack = kEscapeSlack + kShortText;
// Before every piece so many bytes may be loaded.
constexpr std::size_t kBefore = kShortText;
constexpr auto kNothing = static_cast<std::size_t>(-1);

constexpr PaddedText kTrue("True");
constexpr PaddedText kFalse("False");

std::size_t place_of(std::int32_t i) {
  return static_cast<std::size_t>(i);
}

// Whether a tape is its sites, one behind the other, and perhaps a literal.
bool is_straight(const Tape& tape) {
  std::int32_t at = 0;
  for (const TextSite& site : tape.sites) {
    if (site.step - (site.has_literal ? 1 : 0) != at) return false;
    at = site.behind;
  }
  if (tape.steps[place_of(at)].kind == StepKind::literal) ++at;
  return tape.steps[place_of(at)].kind == StepKind::end;
}

}  // namespace

ReadyTexts::ReadyTexts(const Program& program, const Tape& tape, const Cells& cells,
                       const std::vector<Value>& slots, std::int64_t rows)
    : program_(program),
      tape_(tape),
      cells_(cells),
      slots_(slots),
      rows_(rows),
      is_straight_(is_straight(tape)),
      kernels_(ready_kernels()),
      domains_(1) {
  if (rows == 0) return;
  for (const TextSite& site : tape_.sites) {
    Text text;
    text_of_site_.push_back(describe(site, text) ? add(text) : kNothing);
    // A text is worth what all sites that write it are.
    if (text_of_site_.back() != kNothing) texts_[text_of_site_.back()].uses += site.uses;
  }
  allocate();
}

const ReadyText* ReadyTexts::at(std::size_t site) const {
  if (text_of_site_.empty() || text_of_site_[site] == kNothing) return nullptr;
  const Text& text = texts_[text_of_site_[site]];
  return text.pieces.first == nullptr ? nullptr : &text.ready;
}

// --- what there is to make ready ---

std::size_t ReadyTexts::add(Text text) {
  const auto is_same = [&](const Text& other) {
    return other.branch == nullptr && other.source == text.source && other.column == text.column &&
           other.precision == text.precision && other.is_escaped == text.is_escaped;
  };
  const auto same =
      text.branch == nullptr ? std::find_if(texts_.begin(), texts_.end(), is_same) : texts_.end();
  const auto index = static_cast<std::size_t>(same - texts_.begin());
  if (same != texts_.end() && !is_straight_) return index;
  if (same != texts_.end()) {
    text.source = Source::same;
    text.same = index;
  }
  texts_.push_back(text);
  return texts_.size() - 1;
}

bool ReadyTexts::has_digits(const Text& text) {
  return text.source == Source::int64 || text.source == Source::fixed || text.source == Source::other;
}

void ReadyTexts::allocate() {
  const auto rows_of = [&](const Text& text) {
    return static_cast<std::size_t>(text.domain == 0 ? rows_ : kReadyItems);
  };
  std::size_t side_by_side = 0;
  std::size_t pieces = 0;
  std::size_t numbers = 0;
  for (const Text& text : texts_) {
    if (text.uses < kLeastUses) continue;
    (is_by_rows(text) ? side_by_side : pieces) += is_by_rows(text) ? 1 : rows_of(text);
    if (has_digits(text)) numbers += rows_of(text);
  }
  // An odd distance, so that the pieces of a text do not share a few lines of the cache.
  const std::size_t apart = side_by_side | 1;
  if (side_by_side + pieces == 0) return;
  pieces += apart * static_cast<std::size_t>(rows_);
  pieces_ = std::make_unique_for_overwrite<Piece[]>(pieces);
  digits_ = std::make_unique_for_overwrite<char[]>(kBefore + numbers * kNumberBytes + kShortText);
  scratch_ = std::make_unique_for_overwrite<char[]>(kBefore + kScratchBytes + kScratchSlack);
  Piece* next_place = pieces_.get();
  Piece* next_pieces = next_place + apart * static_cast<std::size_t>(rows_);
  char* next_digits = digits_.get() + kBefore;
  for (Text& text : texts_) {
    if (text.uses < kLeastUses) continue;
    if (is_by_rows(text)) {
      text.pieces = {next_place++, static_cast<std::int64_t>(apart)};
    } else {
      text.pieces = {next_pieces, 1};
      next_pieces += rows_of(text);
    }
    text.ready.pieces = text.pieces.first;
    text.ready.step = text.pieces.step;
    if (!has_digits(text)) continue;
    text.digits = next_digits;
    next_digits += rows_of(text) * kNumberBytes;
  }
}

bool ReadyTexts::describe(const TextSite& site, Text& text) {
  switch (site.kind) {
    case TextSite::Kind::value:
      return describe_value(tape_.steps[place_of(site.step)], text);
    case TextSite::Kind::choice:
      return describe_choice(site, text);
    case TextSite::Kind::chain:
      return false;
  }
  return false;
}

bool ReadyTexts::describe_value(const Step& step, Text& text) {
  const Cell& cell = cells_.at(place_of(step.column));
  text.column = step.column;
  if (cell.column == nullptr || cell.reading == Reading::null) return false;
  const Layout layout = cell.column->layout();
  text.domain = domain_of(step.column);
  if (text.domain == kNothing || layout == Layout::dictionary) return false;
  if (step.kind == StepKind::fixed_column || step.kind == StepKind::fixed_field) {
    text.source = Source::fixed;
    text.precision = step.other;
    return layout == Layout::float64;
  }
  switch (cell.reading) {
    case Reading::text:
    case Reading::large_text:
      text.is_escaped = step.flag;
      text.source = layout == Layout::utf8         ? Source::text
                    : layout == Layout::large_utf8 ? Source::large_text
                                                   : Source::view;
      return true;
    case Reading::integer:
      text.source = layout == Layout::int64 ? Source::int64 : Source::other;
      return true;
    case Reading::boolean:
    case Reading::unsigned64:
    case Reading::floating:
      text.source = Source::other;
      return true;
    default:
      return false;
  }
}

bool ReadyTexts::describe_choice(const TextSite& site, Text& text) {
  const Step& branch = tape_.steps[place_of(site.step)];
  const Access access = cells_.reader(place_of(branch.column)).access;
  text.column = branch.column;
  text.branch = &branch;
  text.passed = literal_of(site.passed);
  text.jumped = literal_of(site.jumped);
  if (branch.kind == StepKind::jump_column) {
    text.source = Source::bit;
    return access == Access::boolean;
  }
  text.source = Source::compare;
  const bool is_constant = std::any_of(tape_.presets.begin(), tape_.presets.end(),
                                       [&](const auto& preset) { return preset.first == branch.other; });
  const Value& other = slots_[place_of(branch.other)];
  text.constant = other.payload.integer;
  return is_constant && other.kind == Kind::integer && access == Access::int64 &&
         branch.relation <= Opcode::greater_equal;
}

// The rows that a column has: those of the batch, or the items of the list that it lies below.
std::size_t ReadyTexts::domain_of(std::int32_t column) {
  const ColumnUse& use = program_.columns[place_of(column)];
  if (use.role == ColumnRole::root) return 0;
  const Column* const parent = cells_.at(place_of(use.parent)).column;
  const std::size_t outer = domain_of(use.parent);
  if (outer == kNothing || parent == nullptr) return kNothing;
  // Under a null struct a field may hold anything.
  if (use.role == ColumnRole::field) return parent->has_nulls() ? kNothing : outer;
  if (use.role != ColumnRole::item || !is_list(parent->layout())) return kNothing;
  const auto known = std::find_if(domains_.begin(), domains_.end(),
                                  [&](const Domain& domain) { return domain.list == use.parent; });
  const auto index = static_cast<std::size_t>(known - domains_.begin());
  if (known == domains_.end()) domains_.push_back({use.parent, outer});
  return index;
}

Piece ReadyTexts::literal_of(std::int32_t step) const {
  if (step == TextSite::kNothing) return {tape_.literals.data() + kLiteralSlack, 0};
  const Step& literal = tape_.steps[place_of(step)];
  const bool is_short = literal.literal_bytes < kNotReady;
  return {tape_.literals.data() + literal.literal_at,
          is_short ? static_cast<std::uint32_t>(literal.literal_bytes) : kNotReady};
}

// --- a block ---

std::int64_t ReadyTexts::make(std::int64_t first, std::int64_t last) {
  if (pieces_ == nullptr) return last;
  std::int64_t rows = std::min(last - first, rows_);
  // Rows with long lists come in smaller blocks.
  while (!place(first, rows) && rows > 1) rows /= 2;
  char* const begin = scratch_.get() + kBefore;
  Scratch scratch{begin, begin + kScratchBytes, escape_writer()};
  for (Text& text : texts_) {
    if (text.pieces.first == nullptr) continue;
    const Domain& domain = domains_[text.domain];
    const std::int64_t count = text.domain == 0 ? rows : std::min(domain.count, kReadyItems);
    text.ready.first = domain.first;
    text.ready.count = static_cast<std::uint64_t>(count);
    if (count > 0) make(text, domain.first, count, scratch);
  }
  return first + rows;
}

// Finds the items of all lists for a block; false where there are too many.
bool ReadyTexts::place(std::int64_t first, std::int64_t rows) {
  domains_.front().first = first;
  domains_.front().count = rows;
  bool fits = true;
  for (Domain& domain : std::span(domains_).subspan(1)) {
    const Domain& outer = domains_[domain.outer];
    const Column& list = *cells_.at(place_of(domain.list)).column;
    domain.count = 0;
    if (outer.count == 0) continue;
    domain.first = list.list_range(outer.first).first;
    domain.count = list.list_range(outer.first + outer.count - 1).last - domain.first;
    fits = fits && domain.count <= kReadyItems;
  }
  return fits;
}

void ReadyTexts::make(const Text& text, std::int64_t first, std::int64_t count, Scratch& scratch) const {
  const Reader& reader = cells_.reader(place_of(text.column));
  switch (text.source) {
    case Source::text:
      kernels_.utf8(text_column(text), first, count, text.pieces, scratch);
      break;
    case Source::large_text:
      kernels_.large_utf8(text_column(text), first, count, text.pieces, scratch);
      break;
    case Source::view:
      kernels_.views(text_column(text), first, count, text.pieces, scratch);
      break;
    case Source::int64:
      kernels_.integers(reader, 0, first, count, text.digits, text.pieces);
      break;
    case Source::fixed:
      kernels_.fixed(reader, text.precision, first, count, text.digits, text.pieces);
      break;
    case Source::other:
      make_others(text, first, count);
      break;
    case Source::same:
      for (std::int64_t i = 0; i < count; ++i) text.pieces[i] = texts_[text.same].pieces[i];
      break;
    case Source::bit:
    case Source::compare:
      choose(text, first, count);
      break;
  }
}

TextColumn ReadyTexts::text_column(const Text& text) const {
  const Column& column = *cells_.at(place_of(text.column)).column;
  TextColumn out{.values = column.values(),
                 .offsets = column.offsets(),
                 .validity = column.validity_bits(),
                 .first_bit = column.first_bit(),
                 .values_begin = column.values(),
                 .values_end = column.values(),
                 .variadic = column.variadic(),
                 .variadic_bytes = column.variadic_bytes(),
                 .is_escaped = text.is_escaped};
  const std::int64_t rows = column.length();
  if (text.source == Source::view) {
    out.values_end += 16 * rows;
  } else if (rows > 0) {
    const std::string_view last = column.text(rows - 1);
    out.values_begin = column.text(0).data();
    out.values_end = last.data() + last.size();
  }
  return out;
}

// Numbers of the other widths, and booleans.
void ReadyTexts::make_others(const Text& text, std::int64_t first, std::int64_t count) const {
  char* digits = text.digits;
  for (std::int64_t i = 0; i < count; ++i, digits += kNumberBytes) {
    Value value;
    const Outcome outcome = cells_.read(place_of(text.column), first + i, value);
    Piece& piece = text.pieces[i];
    piece = outcome == Outcome::ok && value.kind == Kind::none ? none_piece() : unready_piece();
    if (outcome != Outcome::ok) continue;
    if (value.kind == Kind::boolean) {
      const bool is_true = value.payload.integer != 0;
      piece = {is_true ? kTrue.text : kFalse.text, is_true ? 4U : 5U};
    } else if (value.kind == Kind::integer || value.kind == Kind::floating) {
      const char* const end = value.kind == Kind::integer ? write_integer(digits, value.payload.integer)
                                                          : write_repr(digits, value.payload.floating);
      piece = {digits, static_cast<std::uint32_t>(end - digits)};
    }
  }
}

void ReadyTexts::choose(const Text& text, std::int64_t first, std::int64_t count) const {
  const Reader& reader = cells_.reader(place_of(text.column));
  const Piece ways[2] = {text.passed, text.jumped};
  if (text.source == Source::bit) {
    const bool flag = text.branch->flag;
    for (std::int64_t i = 0; i < count; ++i) {
      const int holds =
          int{is_set(reader, first + i)} & int{bit_at(reader.values, reader.first_bit + first + i)};
      text.pieces[i] = ways[(holds != 0) == flag ? 1 : 0];
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto number = load_as<std::int64_t>(reader.values + (first + i) * 8);
    const bool holds = relate(text.branch->relation, number, text.constant);
    text.pieces[i] = is_set(reader, first + i) ? ways[holds == text.branch->flag ? 1 : 0] : unready_piece();
  }
}

}  // namespace labfactory
