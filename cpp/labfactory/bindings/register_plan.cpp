#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "labfactory/assemble/assembler.hpp"
#include "labfactory/assemble/asset_stream.hpp"
#include "labfactory/assemble/chunk.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/bindings/answers.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/constants.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/bindings/row_assembler.hpp"
#include "labfactory/execute/evaluator.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/memo.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

using ColumnRow = std::tuple<std::string, std::int32_t, std::string, std::string>;
// TZif files by the name of their zone.
using ZoneFiles = std::map<std::string, py::bytes>;
using SpanRow = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int32_t>;
using CodeRows = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;

constexpr std::array<std::string_view, 5> kRoles = {"root", "field", "item", "key", "value"};
constexpr std::array<std::string_view, 3> kUndefinedModes = {"default", "strict", "chainable"};

template <class Names>
std::size_t position(const Names& names, std::string_view name, std::string_view what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(ErrorKind::compile, "plan_invalid",
                "invalid plan: unknown " + std::string(what) + " '" + std::string(name) + "'");
  }
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<Instruction> instructions(const CodeRows& rows) {
  constexpr py::ssize_t kWidth = 6;
  if (rows.ndim() != 2 || rows.shape(1) != kWidth) {
    throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: expected code of shape (n, 6)");
  }
  const auto cells = rows.unchecked<2>();
  std::vector<Instruction> code;
  for (py::ssize_t i = 0; i < cells.shape(0); ++i) {
    if (cells(i, 0) < 0 || static_cast<std::size_t>(cells(i, 0)) >= kOpcodes.size()) {
      throw Error(ErrorKind::compile, "plan_invalid",
                  "invalid plan: unknown opcode " + std::to_string(cells(i, 0)));
    }
    code.push_back({static_cast<Opcode>(cells(i, 0)),
                    {cells(i, 1), cells(i, 2), cells(i, 3), cells(i, 4)},
                    cells(i, 5)});
  }
  return code;
}

[[noreturn]] void unknown_zone(const std::string& name) {
  throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: the unknown zone '" + name + "'");
}

// The number of a zone, which joins the program's when it is first named.
std::uint16_t zone_number(Program& program, const ZoneFiles& files, const std::string& name) {
  auto spelled = Zone::spelled(name);
  const std::string& known_as = spelled ? spelled->name() : name;
  for (std::size_t i = 0; i < program.zones.size(); ++i) {
    if (program.zones[i].name() == known_as) return static_cast<std::uint16_t>(i);
  }
  const auto file = files.find(name);
  if (!spelled && file == files.end()) unknown_zone(name);
  program.zones.push_back(spelled ? std::move(*spelled) : Zone::parse(name, std::string_view(file->second)));
  return static_cast<std::uint16_t>(program.zones.size() - 1);
}

// A type may say its zone, as "zoned[Europe/Berlin]".
ColumnUse column_use(const ColumnRow& row, const ZoneNumber& zone) {
  const auto& [name, parent, role, type] = row;
  const std::size_t bracket = type.find('[');
  const auto logical = position(kLogicalTypes, std::string_view(type).substr(0, bracket), "type");
  ColumnUse use{name, parent, static_cast<ColumnRole>(position(kRoles, role, "role")),
                static_cast<LogicalType>(logical)};
  if (use.type == LogicalType::zoned && bracket != std::string::npos) {
    use.zone = zone(type.substr(bracket + 1, type.size() - bracket - 2));
  }
  return use;
}

// A program and what runs it, as Python holds them.
struct RunnableProgram {
  std::shared_ptr<const Program> program;
  std::shared_ptr<const Assembler> assembler;
};

std::unique_ptr<RunnableProgram> make_program(
    const std::vector<ColumnRow>& columns, const py::list& constants, std::vector<std::string> literals,
    const std::vector<std::string>& formats, std::int32_t registers, std::int32_t loops,
    std::vector<std::vector<std::int32_t>> tables, std::vector<std::string> functions,
    std::vector<std::string> parts, const CodeRows& code, const std::vector<SpanRow>& spans,
    std::vector<std::string> templates, const std::string& undefined, std::int64_t work_limit,
    std::int64_t asset_limit_bytes, const ZoneFiles& zones) {
  auto program = std::make_shared<Program>();
  const ZoneNumber zone = [&](const std::string& name) { return zone_number(*program, zones, name); };
  for (const ColumnRow& row : columns) program->columns.push_back(column_use(row, zone));
  for (const py::handle object : constants) {
    program->constants.push_back(read_constant(*program, zone, object));
  }
  program->literals = std::move(literals);
  for (const std::string& format : formats) program->formats.emplace_back(format);
  program->registers = registers;
  program->loops = loops;
  program->tables = std::move(tables);
  program->functions = std::move(functions);
  program->parts = std::move(parts);
  program->code = instructions(code);
  for (const auto& [source, line, column, width] : spans)
    program->spans.push_back({source, line, column, width});
  program->sources = std::move(templates);
  program->undefined = static_cast<UndefinedMode>(position(kUndefinedModes, undefined, "undefined mode"));
  program->limits = {work_limit, asset_limit_bytes};
  verify(*program);
  return std::make_unique<RunnableProgram>(
      RunnableProgram{program, std::make_shared<const Assembler>(program)});
}

std::vector<Array> assemble(const RunnableProgram& self, py::handle batch, int threads,
                            std::int64_t batch_bytes, Memo* memo, const py::object& resolve) {
  const std::shared_ptr<const Batch> imported = import_batch(batch, threads);
  Memo fresh;
  if (memo == nullptr) memo = &fresh;
  memo->begin();
  for (int round = 0;; ++round) {
    if (round == kMostRounds) memo->close();
    std::vector<ArrayPointer> chunks;
    {
      const py::gil_scoped_release release;
      chunks = self.assembler->assemble(imported, {threads, batch_bytes, memo});
    }
    if (!answer(*memo, self.program->zones, resolve)) return {chunks.begin(), chunks.end()};
  }
}

// The texts of a batch's assets, and the notes of those that came last.
class TextStream : public Stream {
 public:
  explicit TextStream(const std::shared_ptr<AssetStream>& assets) : Stream(assets), assets_(assets) {}

  [[nodiscard]] std::optional<Array> notes() const {
    if (!assets_->notes()) return std::nullopt;
    return Array(assets_->notes());
  }

 private:
  std::shared_ptr<const AssetStream> assets_;
};

TextStream stream(const RunnableProgram& self, py::handle batch, int threads, std::int64_t batch_bytes) {
  if (!self.program->functions.empty())
    throw Error(ErrorKind::usage, "option", "expected a plan without functions to stream");
  const std::shared_ptr<const Batch> imported = import_batch(batch, threads);
  return TextStream(
      std::make_shared<AssetStream>(self.assembler, imported, AssembleOptions{threads, batch_bytes}));
}

std::pair<Array, Array> evaluate_batch(const RunnableProgram& self, py::handle batch, const std::string& type,
                                       const std::string& machine, Memo* memo, const py::object& resolve) {
  const std::shared_ptr<const Batch> imported = import_batch(batch);
  constexpr std::array<std::string_view, 2> kMachines = {"block", "row"};
  const auto logical = static_cast<LogicalType>(position(kLogicalTypes, type, "type"));
  const auto runs = static_cast<Machine>(position(kMachines, machine, "machine"));
  Memo fresh;
  if (memo == nullptr) memo = &fresh;
  memo->begin();
  for (int round = 0;; ++round) {
    if (round == kMostRounds) memo->close();
    Evaluated evaluated;
    {
      const py::gil_scoped_release release;
      evaluated = evaluate(*self.program, imported, logical, runs, memo);
    }
    if (!answer(*memo, self.program->zones, resolve)) {
      return {Array(evaluated.values), Array(evaluated.codes)};
    }
  }
}

template <class Names>
py::dict numbered(const Names& names) {
  py::dict out;
  std::size_t number = 0;
  for (const auto& entry : names) {
    if constexpr (std::is_convertible_v<decltype(entry), std::string_view>) {
      out[py::str(std::string_view(entry))] = number++;
    } else {
      out[py::str(entry.name)] = number++;
    }
  }
  return out;
}

}  // namespace

void register_plan(py::module_& module) {
  py::module_ plan = module.def_submodule("plan", "Programs: what templates and expressions compile to.");
  py::class_<Memo>(plan, "Memo", "What functions gave, kept from batch to batch; for one thread at a time.")
      .def(py::init<>());
  py::class_<TextStream, Stream>(plan, "TextStream",
                                 "The texts of a batch's assets, chunk by chunk; read once.")
      .def("notes", &TextStream::notes,
           "Status, reason, code, template, line and column of the chunk that came last; None where all "
           "its rows are done.");
  py::class_<RunnableProgram>(plan, "Program",
                              "A verified program; immutable, shared by any number of threads.")
      .def(py::init(&make_program), py::kw_only(), py::arg("columns"), py::arg("constants"),
           py::arg("literals"), py::arg("formats"), py::arg("registers"), py::arg("loops"), py::arg("tables"),
           py::arg("functions"), py::arg("parts"), py::arg("code"), py::arg("spans"), py::arg("templates"),
           py::arg("undefined"), py::arg("work_limit"), py::arg("asset_limit_bytes"),
           py::arg("zones") = ZoneFiles{})
      .def("assemble", &assemble, py::arg("batch"), py::kw_only(), py::arg("threads") = 1,
           py::arg("batch_bytes") = std::int64_t{64} << 20, py::arg("memo") = nullptr,
           py::arg("resolve") = py::none(),
           "Assembles a record batch into chunks of status, reason, code, template, line, column and text.")
      .def("stream", &stream, py::arg("batch"), py::kw_only(), py::arg("threads") = 1,
           py::arg("batch_bytes") = std::int64_t{64} << 20,
           "The texts of a batch, chunk by chunk, those to come made meanwhile; not of functions.")
      .def(
          "silent_notes",
          [](const RunnableProgram& self, std::int64_t rows) {
            if (rows < 0 || rows > kMostChunkRows)
              throw Error(
                  ErrorKind::usage, "option",
                  "expected 0 to " + std::to_string(kMostChunkRows) + " rows, found " + std::to_string(rows));
            return Array(self.assembler->silent_notes(rows));
          },
          py::arg("rows"), "Status, reason, code, template, line and column of rows that are all done.")
      .def("evaluate", &evaluate_batch, py::arg("batch"), py::arg("type"), py::kw_only(),
           py::arg("machine") = "block", py::arg("memo") = nullptr, py::arg("resolve") = py::none(),
           "Evaluates an expression over a record batch: its values, and a code where a row failed.")
      .def_property_readonly("is_expression",
                             [](const RunnableProgram& self) { return is_expression(*self.program); })
      .def(
          "explain", [](const RunnableProgram& self) { return explain(*self.program); }, "A stable listing.");
  py::class_<RowAssembler>(
      plan, "RowAssembler",
      "Assembles single rows of Python values, without arrays of one; shared by any number "
      "of threads.")
      .def(py::init([](const RunnableProgram& program, const py::object& schema) {
             return std::make_unique<RowAssembler>(program.assembler, schema);
           }),
           py::arg("program"), py::arg("schema"))
      .def("assemble", &RowAssembler::assemble, py::arg("row"), py::arg("resolve") = py::none(),
           "The asset or its parts; what became of a row without one; None where pyarrow must read a value.");
  plan.def(
      "format_arguments", [](const std::string& format) { return Format(format).argument_count(); },
      py::arg("format"),
      "How many arguments a printf format takes; CompileError `format` where it cannot be run.");
  plan.attr("OPCODES") = numbered(kOpcodes);
  plan.attr("FILTERS") = numbered(kFilters);
  plan.attr("TESTS") = numbered(kTests);
  plan.attr("METHODS") = numbered(kMethods);
  plan.attr("LOOP_ATTRIBUTES") = numbered(kLoopAttributes);
  plan.attr("OUTCOMES") = numbered(kOutcomes);
}

}  // namespace labfactory::bindings
