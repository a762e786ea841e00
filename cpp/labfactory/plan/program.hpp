// A program: what a template or expression compiles to, checked once and immutable from then on.
// Owner: everything that its instructions name; constants borrow from its own text and item storage.
// Threads: any number may run one program.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/plan/opcode.hpp"
#include "labfactory/values/constant_store.hpp"
#include "labfactory/values/format.hpp"
#include "labfactory/values/operators.hpp"
#include "labfactory/values/type.hpp"
#include "labfactory/values/value.hpp"
#include "labfactory/values/zone.hpp"

namespace labfactory {

struct Instruction {
  Opcode opcode = Opcode::end;
  std::array<std::int32_t, 4> operands{};
  std::int32_t span = 0;
};

// Where in which template an instruction comes from; line and column count from 1.
struct Span {
  std::int32_t source = 0;
  std::int32_t line = 0;
  std::int32_t column = 0;
  std::int32_t width = 1;
};

enum class ColumnRole : std::uint8_t { root, field, item, key, value };

// One column that a program reads: a column of the batch, a field of a struct, the items of a list, the keys
// or values of a map.
struct ColumnUse {
  std::string name;
  std::int32_t parent = -1;
  ColumnRole role = ColumnRole::root;
  LogicalType type = LogicalType::null;
  std::int32_t zone = -1;  // of zoned: entry of the zones
};

struct Limits {
  std::int64_t work = 0;         // steps of loops that one row may take
  std::int64_t asset_bytes = 0;  // bytes that one asset may have, all parts together
};

struct Program : ConstantStore {
  std::vector<Instruction> code;
  std::vector<ColumnUse> columns;
  std::vector<Value> constants;
  std::vector<std::string> literals;
  std::vector<Format> formats;
  std::vector<std::vector<std::int32_t>> tables;
  std::vector<std::string> parts;
  std::vector<Zone> zones;
  std::vector<Span> spans;
  std::vector<std::string> sources;  // names of the templates that spans point into
  std::int32_t registers = 0;
  std::int32_t loops = 0;
  UndefinedMode undefined = UndefinedMode::strict;
  Limits limits;

  std::vector<std::string> functions;  // names of what calls call
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  // The move of a deque may allocate. NOLINTNEXTLINE(performance-noexcept-move-constructor)
  Program(Program&&) = default;
  Program& operator=(Program&&) = default;
  ~Program() = default;
};

// Checks every index, count, jump and bound, that registers and loops are set before they are read, and that
// control never leaves the code nor goes back uncounted; throws Error(compile, "plan_invalid") naming the
// instruction. A program that passes is safe to run on any batch.
void verify(const Program& program);

// True when the block machine may run it: no loops, no slots, no output.
[[nodiscard]] bool is_expression(const Program& program);

// A stable listing for people and snapshots.
[[nodiscard]] std::string explain(const Program& program);

}  // namespace labfactory
