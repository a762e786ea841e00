#include <cstddef>

#include "labfactory/plan/program.hpp"
#include "labfactory/values/decimal.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/outcome.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

std::string quoted(std::string_view text) {
  // Long literals are told by their start; the plan is for reading, the source holds the rest.
  constexpr std::size_t kShown = 48;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  while (text.size() > kShown && !out.empty() && (static_cast<unsigned char>(out.back()) & 0x80) != 0)
    out.pop_back();
  out += text.size() > kShown ? "…\"" : "\"";
  return out;
}

std::string constant(const Value& value) {
  char buffer[64];
  switch (value.kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return value.payload.integer != 0 ? "True" : "False";
    case Kind::integer:
      return std::to_string(value.payload.integer);
    case Kind::floating:
      return {buffer, write_repr(buffer, value.payload.floating)};
    case Kind::decimal:
      return "Decimal(" + std::string(buffer, write_decimal(buffer, decimal_of(value))) + ")";
    case Kind::date:
      return {buffer, write_date(buffer, value.payload.integer)};
    case Kind::timestamp:
      return {buffer, write_timestamp(buffer, value.payload.integer)};
    case Kind::zoned:
      return {buffer, write_offset(write_timestamp(buffer, value.payload.integer), value.offset())};
    case Kind::time:
      return {buffer, write_time(buffer, value.payload.integer)};
    case Kind::duration:
      return {buffer, write_duration(buffer, value.payload.integer)};
    case Kind::text:
      return quoted(value.view());
    case Kind::markup:
      return "Markup(" + quoted(value.view()) + ")";
    case Kind::list:
    case Kind::tuple: {
      std::string out = value.kind == Kind::list ? "[" : "(";
      for (std::uint32_t i = 0; i < value.length; ++i) {
        if (i != 0) out += ", ";
        out += constant(value.payload.items[i]);
      }
      return out + (value.kind == Kind::list ? "]" : ")");
    }
    case Kind::dict: {
      std::string out = "{";
      for (std::uint32_t i = 0; i < value.length; ++i) {
        if (i != 0) out += ", ";
        out += constant(value.payload.items[std::size_t{2} * i]) + ": ";
        out += constant(value.payload.items[std::size_t{2} * i + 1]);
      }
      return out + "}";
    }
    default:
      return "?";
  }
}

std::string column_path(const Program& program, std::int32_t index) {
  const ColumnUse& use = program.columns[static_cast<std::size_t>(index)];
  if (use.role == ColumnRole::root) return use.name;
  const std::string below = use.role == ColumnRole::item    ? "[]"
                            : use.role == ColumnRole::key   ? "{key}"
                            : use.role == ColumnRole::value ? "{value}"
                                                            : "." + use.name;
  return column_path(program, use.parent) + below;
}

// The format again, without its flags and widths.
std::string format_text(const Format& format) {
  std::string out;
  for (const Format::Piece& piece : format.pieces()) {
    out += piece.literal;
    out += '%';
    if (piece.conversion.precision >= 0) out.append(".").append(std::to_string(piece.conversion.precision));
    out += piece.conversion.type;
  }
  return out + format.tail();
}

std::string operand(const Program& p, const Instruction& instruction, Operand kind, std::size_t i) {
  const std::int32_t value = instruction.operands[i];
  const auto at = static_cast<std::size_t>(value);
  switch (kind) {
    case Operand::none:
      return "";
    case Operand::target:
      return "r" + std::to_string(value) + " <-";
    case Operand::source:
      return "r" + std::to_string(value);
    case Operand::sources: {
      const std::int32_t count = instruction.operands[i + 1];
      if (count == 0) return "()";
      return "r" + std::to_string(value) + "..r" + std::to_string(value + count - 1);
    }
    case Operand::count:
      return "";
    case Operand::number:
      return std::to_string(value);
    case Operand::column:
      return column_path(p, value);
    case Operand::constant:
      return constant(p.constants[at]);
    case Operand::literal:
      return quoted(p.literals[at]);
    case Operand::format:
      return quoted(format_text(p.formats[at]));
    case Operand::jump:
      return "@" + std::to_string(value);
    case Operand::loop:
      return "loop" + std::to_string(value);
    case Operand::part:
      return p.parts[at];
    case Operand::table: {
      std::string out = "[";
      for (std::size_t n = 0; n < p.tables[at].size(); ++n) {
        if (n != 0) out += ' ';
        out += '@';
        out += std::to_string(p.tables[at][n]);
      }
      return out + "]";
    }
    case Operand::filter:
      return std::string(kFilters[at].name);
    case Operand::test:
      return std::string(kTests[at]);
    case Operand::method:
      return std::string(kMethods[at].name);
    case Operand::function:
      return p.functions[at];
    case Operand::attribute:
      return std::string(kLoopAttributes[at]);
    case Operand::flag:
      return value != 0 ? "yes" : "no";
    case Operand::outcome:
      return std::string(kOutcomes[at]);
  }
  return "";
}

}  // namespace

std::string explain(const Program& program) {
  std::string out = "columns\n";
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    out += "  " + column_path(program, static_cast<std::int32_t>(i)) + ": " +
           std::string(kLogicalTypes[static_cast<std::size_t>(program.columns[i].type)]) + "\n";
  }
  out += "code (" + std::to_string(program.registers) + " registers)\n";
  const std::size_t width = std::to_string(program.code.size() - 1).size();
  for (std::size_t at = 0; at < program.code.size(); ++at) {
    const Instruction& instruction = program.code[at];
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
    const std::string number = std::to_string(at);
    out += "  " + std::string(width - number.size(), ' ') + number + " " + std::string(shape.name);
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      const std::string text = operand(program, instruction, shape.operands[i], i);
      if (!text.empty()) out += " " + text;
    }
    const Span& span = program.spans[static_cast<std::size_t>(instruction.span)];
    out += "  ; " + program.sources[static_cast<std::size_t>(span.source)] + ":" + std::to_string(span.line) +
           ":" + std::to_string(span.column) + "\n";
  }
  return out;
}

}  // namespace labfactory
