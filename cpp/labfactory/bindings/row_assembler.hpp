// Single rows of Python's values assembled without arrays of one.
// Owner: rows that are used again; shares the assembler.
// Threads: any number, with the GIL; each call takes a row of its own.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <mutex>
#include <vector>

#include "labfactory/arrow/schema.hpp"
#include "labfactory/assemble/one_row.hpp"

namespace labfactory::bindings {

class RowAssembler {
 public:
  // The schema that the program was compiled against: an object with __arrow_c_schema__.
  RowAssembler(std::shared_ptr<const Assembler> assembler, pybind11::handle schema);

  // The asset; for a creative a dict of its parts; for a row that was skipped or failed a tuple of its
  // status, reason, code, template, line and column. None where a value is missing or needs pyarrow to be
  // read.
  [[nodiscard]] pybind11::object assemble(const pybind11::dict& row, const pybind11::object& resolve);

 private:
  // A row for one call; it goes back when the call ends.
  class Taken;

  [[nodiscard]] RowEvent run(OneRow& row, const pybind11::object& resolve) const;
  [[nodiscard]] pybind11::object asset(const OneRow& row) const;
  [[nodiscard]] pybind11::tuple failure(const RowEvent& event, const OneRow& row) const;

  std::shared_ptr<const Assembler> assembler_;
  std::vector<DataType> columns_;
  std::vector<pybind11::str> names_;
  std::vector<pybind11::str> parts_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<OneRow>> idle_;
};

}  // namespace labfactory::bindings
