#include "labfactory/bindings/row_assembler.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "labfactory/bindings/answers.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/row_reader.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// More rows at once than threads that wait for the interpreter is rare.
constexpr std::size_t kMostIdle = 8;

py::str text_object(std::string_view text) {
  PyObject* const made = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(made);
}

}  // namespace

class RowAssembler::Taken {
 public:
  explicit Taken(RowAssembler& from) : from_(from) {
    {
      const std::scoped_lock lock(from.mutex_);
      if (!from.idle_.empty()) {
        row_ = std::move(from.idle_.back());
        from.idle_.pop_back();
      }
    }
    if (!row_) row_ = std::make_unique<OneRow>(*from.assembler_, from.columns_);
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {
    const std::scoped_lock lock(from_.mutex_);
    if (from_.idle_.size() < kMostIdle) from_.idle_.push_back(std::move(row_));
  }
  OneRow& operator*() { return *row_; }

 private:
  RowAssembler& from_;
  std::unique_ptr<OneRow> row_;
};

RowAssembler::RowAssembler(std::shared_ptr<const Assembler> assembler, py::handle schema)
    : assembler_(std::move(assembler)), columns_(import_schema(schema).children) {
  idle_.reserve(kMostIdle);
  for (const DataType& column : columns_) names_.emplace_back(column.name);
  for (const std::string& part : assembler_->program().parts) parts_.emplace_back(part);
}

py::object RowAssembler::assemble(const py::dict& row, const py::object& resolve) {
  Taken taken(*this);
  // Long texts are borrowed, and what is called here may change the dict.
  std::vector<py::object> held;
  held.reserve(names_.size());
  RowValues& values = (*taken).values();
  values.begin();
  for (std::size_t i = 0; i < names_.size(); ++i) {
    PyObject* const value = PyDict_GetItemWithError(row.ptr(), names_[i].ptr());
    if (value == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (value == nullptr) return py::none();
    const auto kept = py::reinterpret_borrow<py::object>(value);
    if (!set_value(values.column(i), 0, kept, held)) return py::none();
  }
  // The interpreter lock is kept: most rows take less than giving it up and waiting for it again.
  const RowEvent event = run(*taken, resolve);
  return event.kind == RowEvent::Kind::done ? asset(*taken) : failure(event, *taken);
}

RowEvent RowAssembler::run(OneRow& row, const py::object& resolve) const {
  const Program& program = assembler_->program();
  if (program.functions.empty()) return row.assemble();
  row.forget();
  for (int round = 0;; ++round) {
    if (round == kMostRounds) row.memo().close();
    const RowEvent event = row.assemble();
    if (!answer(row.memo(), program.zones, resolve)) return event;
  }
}

py::object RowAssembler::asset(const OneRow& row) const {
  if (parts_.empty()) return text_object(row.text(0));
  py::dict parts;
  for (std::size_t part = 0; part < parts_.size(); ++part) parts[parts_[part]] = text_object(row.text(part));
  return parts;
}

py::tuple RowAssembler::failure(const RowEvent& event, const OneRow& row) const {
  const Program& program = assembler_->program();
  const bool is_skipped = event.kind == RowEvent::Kind::skipped;
  py::object reason = py::none();
  py::object code = py::none();
  if (is_skipped) {
    reason =
        text_object(event.constant < 0 ? row.reason()
                                       : program.constants[static_cast<std::size_t>(event.constant)].view());
  } else {
    code = text_object(kOutcomes.at(static_cast<std::size_t>(event.outcome)));
  }
  const Span& span = program.spans[static_cast<std::size_t>(event.span)];
  return py::make_tuple(is_skipped ? "skipped" : "error", reason, code,
                        text_object(program.sources[static_cast<std::size_t>(span.source)]), span.line,
                        span.column);
}

}  // namespace labfactory::bindings
