// Templates with branches, loops and slots between texts that are ready: at every dispatch level what the row
// machine writes, and nearly all rows to their end.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/bound_step.hpp"
#include "labfactory/execute/branched_rows.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory {
namespace {

using Random = std::mt19937_64;

constexpr std::int64_t kRows = 60;
constexpr std::int64_t kBlock = 16;

enum Columns : std::int32_t { kPoints, kName, kMember, kDecision, kShelf, kItem, kPrice, kTitle, kStock };

std::vector<WriteBranched> all_writers() {
  std::vector<WriteBranched> all{write_branched_plain};
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) all.push_back(write_branched_avx2);
#endif
  return all;
}

std::shared_ptr<const Batch> random_batch(Random& random) {
  constexpr std::array<std::string_view, 6> kTexts = {
      "", "Ann", "Zoë <&>", "a name of more than thirty-one bytes", "\xf0\x9f\x8e\x89 yes", "O'Neill"};
  constexpr std::array<std::int64_t, 6> kNumbers = {0, 1, -7, INT64_MAX, INT64_MIN, 40};
  const auto nulls = [&](std::int64_t rows) {
    Bitmap bits;
    for (std::int64_t i = 0; i < rows; ++i) bits.append(random() % 40 != 0);
    return bits;
  };
  const auto texts = [&](std::int64_t rows) {
    std::vector<std::optional<std::string_view>> out;
    for (std::int64_t i = 0; i < rows; ++i)
      out.push_back(random() % 9 == 0 ? std::nullopt : std::optional(kTexts[random() % kTexts.size()]));
    return make_text_array(out);
  };
  const auto numbers = [&](std::int64_t rows) {
    std::vector<std::int64_t> out;
    for (std::int64_t i = 0; i < rows; ++i) out.push_back(kNumbers[random() % kNumbers.size()]);
    return make_array(out, nulls(rows));
  };
  std::vector<std::uint8_t> members;
  std::vector<std::int32_t> decisions;
  std::vector<std::int32_t> offsets{0};
  for (std::int64_t i = 0; i < kRows; ++i) {
    members.push_back(static_cast<std::uint8_t>(random() % 2));
    decisions.push_back(static_cast<std::int32_t>(random() % 3));
    offsets.push_back(offsets.back() + static_cast<std::int32_t>(random() % 4));
  }
  const std::int64_t items = offsets.back();
  std::vector<double> prices;
  for (std::int64_t i = 0; i < items; ++i) prices.push_back(static_cast<double>(random() % 9000) / 8);
  auto shelf = std::make_shared<ArrayData>();
  shelf->format = "+l";
  shelf->length = kRows;
  shelf->buffers = {SharedBuffer{}, SharedBuffer(offsets)};
  shelf->children = {{"item", make_struct_array(items, {{"price", make_array(prices)},
                                                        {"title", texts(items)},
                                                        {"stock", numbers(items)}})}};
  const ArrayPointer data = make_struct_array(kRows, {{"points", numbers(kRows)},
                                                      {"name", texts(kRows)},
                                                      {"member", make_boolean_array(members, nulls(kRows))},
                                                      {"decision", make_array(decisions, nulls(kRows))},
                                                      {"shelf", shelf}});
  ArrowSchema schema{};
  ArrowArray array{};
  export_schema(*data, &schema);
  export_array(data, &array);
  return import_batch(&schema, &array);
}

// Programs as the compiler writes them, of which every register is written before it is read.
class ProgramMaker {
 public:
  explicit ProgramMaker(Random& random) : random_(random) {}

  Program make() {
    p_.columns = {{"points", -1, ColumnRole::root, LogicalType::integer},
                  {"name", -1, ColumnRole::root, LogicalType::text},
                  {"member", -1, ColumnRole::root, LogicalType::boolean},
                  {"decision", -1, ColumnRole::root, LogicalType::integer},
                  {"shelf", -1, ColumnRole::root, LogicalType::list},
                  {"item", kShelf, ColumnRole::item, LogicalType::record},
                  {"price", kItem, ColumnRole::field, LogicalType::floating},
                  {"title", kItem, ColumnRole::field, LogicalType::text},
                  {"stock", kItem, ColumnRole::field, LogicalType::integer}};
    p_.constants = {Value::integer(0), Value::integer(40), Value::integer(INT64_MIN),
                    Value::integer(INT64_MAX)};
    p_.literals = {"", "a", "a short one", std::string(20, 'b'), std::string(40, 'c'), std::string(500, 'd')};
    p_.formats.emplace_back("%.2f");
    p_.registers = 5;
    p_.spans = {{0, 1, 1, 1}};
    p_.sources = {"branched"};
    // A row of no more than one item is within the smaller limit.
    p_.limits = {random_() % 6 == 0 ? 2 : 100, 1 << 20};
    some(2);
    p_.code.push_back({});
    return std::move(p_);
  }

 private:
  std::int32_t at() const { return static_cast<std::int32_t>(p_.code.size()); }
  std::int32_t below(std::size_t n) { return static_cast<std::int32_t>(random_() % n); }
  std::size_t add(Opcode opcode, std::array<std::int32_t, 4> operands) {
    p_.code.push_back({opcode, operands, 0});
    return p_.code.size() - 1;
  }

  void some(int depth) {
    for (std::size_t n = 1 + random_() % 4; n > 0; --n) {
      switch (random_() % (depth == 0 ? 3 : 6)) {
        case 0:
          add(Opcode::emit_literal, {below(p_.literals.size())});
          break;
        case 1:
          is_item_ ? emit_item() : emit_row();
          break;
        case 2:
          add(Opcode::emit_literal, {below(p_.literals.size())});
          is_item_ ? emit_item() : emit_row();
          break;
        case 3:
          branch(depth);
          break;
        case 4:
          slot(depth);
          break;
        default:
          is_item_ ? branch(depth) : loop(depth);
      }
    }
  }

  void emit_row() { add(random_() % 2 == 0 ? Opcode::emit_column : Opcode::emit_column_escaped, {below(2)}); }

  void emit_item() {
    const std::int32_t field = kPrice + below(3);
    add(Opcode::field, {2, 1, field});
    if (field == kPrice) add(Opcode::format, {2, 0, 2, 1});
    add(Opcode::emit_escaped, {2});
  }

  void branch(int depth) {
    if (!is_item_ && random_() % 2 == 0) {
      add(Opcode::column, {2, kMember});
    } else {
      is_item_ ? add(Opcode::field, {3, 1, kStock}) : add(Opcode::column, {3, kPoints});
      add(Opcode::constant, {4, below(p_.constants.size())});
      add(static_cast<Opcode>(static_cast<int>(Opcode::equal) + below(6)), {2, 3, 4});
    }
    const auto opcode = random_() % 2 == 0 ? Opcode::jump_if_false : Opcode::jump_if_true;
    const std::size_t jump = add(opcode, {2, 0});
    some(depth - 1);
    if (random_() % 2 == 0) {
      const std::size_t over = add(Opcode::jump, {0});
      p_.code[jump].operands[1] = at();
      some(depth - 1);
      p_.code[over].operands[0] = at();
    } else {
      p_.code[jump].operands[1] = at();
    }
  }

  void slot(int depth) {
    const auto table = static_cast<std::int32_t>(p_.tables.size());
    p_.tables.emplace_back();
    add(Opcode::slot, {kDecision, table});
    std::vector<std::size_t> ends;
    for (int component = 0; component < 3; ++component) {
      p_.tables[static_cast<std::size_t>(table)].push_back(at());
      some(depth - 1);
      ends.push_back(add(Opcode::jump, {0}));
    }
    for (const std::size_t end : ends) p_.code[end].operands[0] = at();
  }

  void loop(int depth) {
    const std::int32_t number = p_.loops++;
    add(Opcode::column, {0, kShelf});
    const std::size_t begin = add(Opcode::loop_begin, {number, 0, 1, 0});
    const std::int32_t body = at();
    is_item_ = true;
    some(depth - 1);
    is_item_ = false;
    add(Opcode::loop_next, {number, 1, body});
    p_.code[begin].operands[3] = at();
  }

  Random& random_;
  Program p_;
  bool is_item_ = false;
};

struct Expected {
  bool is_done;
  std::string text;
};

std::vector<Expected> plain_rows(const Program& program, const Binding& binding) {
  RowMachine machine(program, binding);
  std::vector<char> memory((1 << 20) + kPartSlack);
  std::vector<Expected> out;
  for (std::int64_t row = 0; row < kRows; ++row) {
    PartCursor cursor{memory.data(), memory.data() + memory.size() - kPartSlack};
    const RowEvent event = machine.assemble(row, {&cursor, 1});
    out.push_back({event.kind == RowEvent::Kind::done,
                   {memory.data(), static_cast<std::size_t>(cursor.at - memory.data())}});
  }
  return out;
}

struct Counts {
  std::int64_t done = 0;
  std::int64_t left =
      0;  // that the row machine wrote to their end: comparisons with None, texts that few rows write
};

void check(Random& random, const Program& program, WriteBranched write, Counts& counts) {
  const Binding binding(program, random_batch(random));
  const Tape tape = make_tape(program);
  std::vector<Value> slots(static_cast<std::size_t>(tape.slots));
  for (const auto& [slot, constant] : tape.presets)
    slots[static_cast<std::size_t>(slot)] = program.constants[static_cast<std::size_t>(constant)];
  ReadyTexts ready(program, tape, binding.cells(), slots, kBlock);
  EntryTextStore entries;
  const BoundTape bound = bind_tape(tape, binding.cells(), slots, ready, entries, kRows);
  BranchedRows branched(program, tape, bound, binding.cells(), slots, kBlock, write);
  const std::vector<Expected> expected = plain_rows(program, binding);
  // The last byte of the slack is the last of its memory, so that a sanitizer sees what passes it.
  std::vector<char> text((random() % 4 == 0 ? random() % 4000 : 200'000) + kPartSlack);
  std::vector<std::int32_t> ends(kRows);
  for (std::int64_t row = 0; row < kRows;) {
    const std::int64_t last = branched.find(row, ready.make(row, kRows));
    while (row < last) {
      const char* const limit = text.data() + text.size() - kPartSlack;
      const WrittenRows written =
          branched.write(row, last, {text.data(), text.data(), limit, 1 << 20, ends.data()});
      std::size_t from = 0;
      for (std::int64_t i = 0; i < written.rows; ++i) {
        const Expected& plain = expected[static_cast<std::size_t>(row + i)];
        const auto to = static_cast<std::size_t>(ends[static_cast<std::size_t>(i)]);
        REQUIRE(plain.is_done);
        REQUIRE(plain.text == std::string_view(text.data() + from, to - from));
        from = to;
      }
      REQUIRE(written.at == text.data() + from);
      row += written.rows;
      counts.done += written.rows;
      if (row == last) break;
      const Expected& plain = expected[static_cast<std::size_t>(row)];
      const bool had_room = plain.text.size() + 20'000 < text.size() - from;
      if (had_room && plain.is_done) ++counts.left;
      ++row;
    }
  }
}

}  // namespace

TEST_CASE("branched rows are what the row machine writes") {
  for (const WriteBranched write : all_writers()) {
    Random random(14);
    Counts counts;
    for (int round = 0; round < 1200; ++round) {
      const Program program = ProgramMaker(random).make();
      verify(program);
      check(random, program, write, counts);
    }
    CHECK(counts.done > 20'000);
    CHECK(counts.left < counts.done / 8);
  }
}

}  // namespace labfactory
