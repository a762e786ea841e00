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

bool set_integer(RowPlaces& places, std::int64_t at, PyObject* value) {
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow == 0) return places.set_integer(at, number);
  if (overflow < 0) return false;
  const std::uint64_t large = PyLong_AsUnsignedLongLong(value);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return places.set_unsigned(at, large);
}

bool set_floating(RowPlaces& places, std::int64_t at, PyObject* value) {
  if (PyFloat_CheckExact(value)) return places.set_floating(at, PyFloat_AS_DOUBLE(value));
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
  const std::int64_t most = places.type().layout == Layout::float32 ? kMostInFloat : kMostInDouble;
  if (overflow != 0 || number > most || number < -most) return false;
  return places.set_floating(at, static_cast<double>(number));
}

bool set_text(RowPlaces& places, std::int64_t at, PyObject* value, std::vector<py::object>& held) {
  if (!PyUnicode_CheckExact(value)) return false;
  Py_ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text == nullptr) {
    // A lone surrogate is no UTF-8.
    PyErr_Clear();
    return false;
  }
  held.push_back(py::reinterpret_borrow<py::object>(value));
  return places.set_text(at, {text, static_cast<std::size_t>(size)});
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

bool set_timestamp(RowPlaces& places, std::int64_t at, PyObject* value) {
  if (!PyDateTime_CheckExact(value)) return false;
  const std::int64_t civil =
      days_of(value) * kDayMicroseconds +
      clock_microseconds(PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
                         PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value));
  if (PyDateTime_DATE_GET_TZINFO(value) == Py_None) return places.set_microseconds(at, civil);
  if (places.type().zone.empty()) return false;
  if (PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC) return places.set_microseconds(at, civil);
  std::int64_t offset = 0;
  const py::object delta = py::handle(value).attr("utcoffset")();
  return PyDelta_Check(delta.ptr()) && elapsed(delta.ptr(), offset) &&
         places.set_microseconds(at, civil - offset);
}

bool set_decimal(RowPlaces& places, std::int64_t at, PyObject* value) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
  const py::object& type =
      storage.call_once_and_store_result([] { return py::module_::import("decimal").attr("Decimal"); })
          .get_stored();
  if (reinterpret_cast<PyObject*>(Py_TYPE(value)) != type.ptr()) return false;
  const py::tuple parts = py::handle(value).attr("as_tuple")();
  const py::tuple digits = parts[1];
  // What must be rounded or filled up, infinities and NaN are pyarrow's to judge.
  if (!py::isinstance<py::int_>(parts[2]) || parts[2].cast<int>() != -places.type().scale) return false;
  if (digits.size() > static_cast<std::size_t>(places.type().precision)) return false;
  Coefficient coefficient = 0;
  for (const py::handle digit : digits) coefficient = coefficient * 10 + digit.cast<unsigned>();
  if (parts[0].cast<int>() != 0) coefficient = -coefficient;
  return places.set_decimal(
      at, {static_cast<std::uint64_t>(coefficient), static_cast<std::int64_t>(coefficient >> 64)});
}

bool set_moment(RowPlaces& places, std::int64_t at, PyObject* value) {
  if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
  std::int64_t microseconds = 0;
  switch (places.type().layout) {
    case Layout::date32:
    case Layout::date64:
      return PyDate_CheckExact(value) && places.set_date(at, days_of(value));
    case Layout::timestamp:
      return set_timestamp(places, at, value);
    case Layout::time32:
    case Layout::time64:
      return PyTime_CheckExact(value) && PyDateTime_TIME_GET_TZINFO(value) == Py_None &&
             places.set_microseconds(
                 at, clock_microseconds(PyDateTime_TIME_GET_HOUR(value), PyDateTime_TIME_GET_MINUTE(value),
                                        PyDateTime_TIME_GET_SECOND(value),
                                        PyDateTime_TIME_GET_MICROSECOND(value)));
    case Layout::duration:
      return PyDelta_CheckExact(value) && elapsed(value, microseconds) &&
             places.set_microseconds(at, microseconds);
    default:
      return false;
  }
}

bool set_list(RowPlaces& places, std::int64_t at, PyObject* value, std::vector<py::object>& held) {
  if (!PyList_CheckExact(value)) return false;
  const auto list = py::reinterpret_borrow<py::list>(value);
  const auto count = static_cast<std::int64_t>(list.size());
  std::int64_t first = 0;
  if (!places.set_list(at, count, first)) return false;
  for (std::int64_t i = 0; i < count; ++i) {
    // What a value's own methods do may have changed the list.
    if (static_cast<std::int64_t>(list.size()) != count) return false;
    const py::object item = list[static_cast<std::size_t>(i)];
    if (!set_value(places.items(), first + i, item, held)) return false;
  }
  return true;
}

bool set_record(RowPlaces& places, std::int64_t at, PyObject* value, std::vector<py::object>& held) {
  if (!PyDict_CheckExact(value)) return false;
  const auto dict = py::reinterpret_borrow<py::dict>(value);
  places.set_record(at);
  std::size_t found = 0;
  for (std::size_t i = 0; i < places.field_count(); ++i) {
    RowPlaces& field = places.field(i);
    const py::str name(field.type().name);
    PyObject* const item = PyDict_GetItemWithError(dict.ptr(), name.ptr());
    if (item == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
    found += item == nullptr ? 0 : 1;
    const auto kept = py::reinterpret_borrow<py::object>(item == nullptr ? Py_None : item);
    if (!set_value(field, at, kept, held)) return false;
  }
  // A field that is not there is null, unless pyarrow finds it by bytes.
  return found == places.field_count() || found == dict.size();
}

}  // namespace

bool set_value(RowPlaces& places, std::int64_t at, py::handle handle, std::vector<py::object>& held) {
  PyObject* const value = handle.ptr();
  if (value == Py_None) {
    places.set_null(at);
    return true;
  }
  const Layout layout = places.type().layout;
  if (is_text(layout)) return set_text(places, at, value, held);
  if (is_integer(layout)) return set_integer(places, at, value);
  if (is_floating(layout)) return set_floating(places, at, value);
  switch (layout) {
    case Layout::boolean:
      return PyBool_Check(value) && places.set_boolean(at, value == Py_True);
    case Layout::decimal128:
      return set_decimal(places, at, value);
    case Layout::list:
    case Layout::large_list:
      return set_list(places, at, value, held);
    case Layout::structure:
      return set_record(places, at, value, held);
    default:
      return set_moment(places, at, value);
  }
}

}  // namespace labfactory::bindings
