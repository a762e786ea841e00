#include "labfactory/bindings/row_reader.hpp"

#include <datetime.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/moment.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// Integers that a float of 64 or 32 bits holds exactly, as pyarrow demands of them.
constexpr std::int64_t kMostInDouble = std::int64_t{1} << 53;
constexpr std::int64_t kMostInFloat = std::int64_t{1} << 24;

bool set_integer(RowValues& row, std::size_t column, PyObject* value) {
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow == 0) return row.set_integer(column, number);
  if (overflow < 0) return false;
  const std::uint64_t large = PyLong_AsUnsignedLongLong(value);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return row.set_unsigned(column, large);
}

bool set_floating(RowValues& row, std::size_t column, PyObject* value) {
  if (PyFloat_CheckExact(value)) return row.set_floating(column, PyFloat_AS_DOUBLE(value));
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
  const std::int64_t most = row.type(column).layout == Layout::float32 ? kMostInFloat : kMostInDouble;
  if (overflow != 0 || number > most || number < -most) return false;
  return row.set_floating(column, static_cast<double>(number));
}

bool set_text(RowValues& row, std::size_t column, PyObject* value) {
  if (!PyUnicode_CheckExact(value)) return false;
  Py_ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text == nullptr) {
    // A lone surrogate is no UTF-8.
    PyErr_Clear();
    return false;
  }
  return row.set_text(column, {text, static_cast<std::size_t>(size)});
}

std::int64_t days_of(PyObject* date) {
  return days_from_civil(PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date));
}

std::int64_t clock_microseconds(int hour, int minute, int second, int microsecond) {
  return (((hour * std::int64_t{60}) + minute) * 60 + second) * kSecondMicroseconds + microsecond;
}

bool elapsed(PyObject* delta, std::int64_t& out) {
  const std::int64_t rest =
      PyDateTime_DELTA_GET_SECONDS(delta) * kSecondMicroseconds + PyDateTime_DELTA_GET_MICROSECONDS(delta);
  return !__builtin_mul_overflow(std::int64_t{PyDateTime_DELTA_GET_DAYS(delta)}, kDayMicroseconds, &out) &&
         !__builtin_add_overflow(out, rest, &out);
}

bool set_timestamp(RowValues& row, std::size_t column, PyObject* value) {
  if (!PyDateTime_CheckExact(value)) return false;
  const std::int64_t civil =
      days_of(value) * kDayMicroseconds +
      clock_microseconds(PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
                         PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value));
  if (PyDateTime_DATE_GET_TZINFO(value) == Py_None) return row.set_microseconds(column, civil);
  if (row.type(column).zone.empty()) return false;
  if (PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC)
    return row.set_microseconds(column, civil);
  std::int64_t offset = 0;
  const py::object delta = py::handle(value).attr("utcoffset")();
  return PyDelta_Check(delta.ptr()) && elapsed(delta.ptr(), offset) &&
         row.set_microseconds(column, civil - offset);
}

bool set_decimal(RowValues& row, std::size_t column, PyObject* value) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
  const py::object& type =
      storage.call_once_and_store_result([] { return py::module_::import("decimal").attr("Decimal"); })
          .get_stored();
  if (reinterpret_cast<PyObject*>(Py_TYPE(value)) != type.ptr()) return false;
  const py::tuple parts = py::handle(value).attr("as_tuple")();
  const py::tuple digits = parts[1];
  // What must be rounded or filled up, infinities and NaN are pyarrow's to judge.
  if (!py::isinstance<py::int_>(parts[2]) || parts[2].cast<int>() != -row.type(column).scale) return false;
  if (digits.size() > static_cast<std::size_t>(row.type(column).precision)) return false;
  Coefficient coefficient = 0;
  for (const py::handle digit : digits) coefficient = coefficient * 10 + digit.cast<unsigned>();
  if (parts[0].cast<int>() != 0) coefficient = -coefficient;
  return row.set_decimal(
      column, {static_cast<std::uint64_t>(coefficient), static_cast<std::int64_t>(coefficient >> 64)});
}

}  // namespace

bool set_value(RowValues& row, std::size_t column, py::handle handle) {
  PyObject* const value = handle.ptr();
  if (value == Py_None) {
    row.set_null(column);
    return true;
  }
  const Layout layout = row.type(column).layout;
  if (is_text(layout)) return set_text(row, column, value);
  if (is_integer(layout)) return set_integer(row, column, value);
  if (is_floating(layout)) return set_floating(row, column, value);
  if (layout == Layout::boolean) return PyBool_Check(value) && row.set_boolean(column, value == Py_True);
  if (layout == Layout::decimal128) return set_decimal(row, column, value);
  if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
  std::int64_t microseconds = 0;
  switch (layout) {
    case Layout::date32:
    case Layout::date64:
      return PyDate_CheckExact(value) && row.set_date(column, days_of(value));
    case Layout::timestamp:
      return set_timestamp(row, column, value);
    case Layout::time32:
    case Layout::time64:
      return PyTime_CheckExact(value) && PyDateTime_TIME_GET_TZINFO(value) == Py_None &&
             row.set_microseconds(column, clock_microseconds(PyDateTime_TIME_GET_HOUR(value),
                                                             PyDateTime_TIME_GET_MINUTE(value),
                                                             PyDateTime_TIME_GET_SECOND(value),
                                                             PyDateTime_TIME_GET_MICROSECOND(value)));
    case Layout::duration:
      return PyDelta_CheckExact(value) && elapsed(value, microseconds) &&
             row.set_microseconds(column, microseconds);
    default:
      return false;
  }
}

}  // namespace labfactory::bindings
