#include "labfactory/bindings/answers.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/constants.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

std::uint16_t known_zone(std::span<const Zone> zones, const std::string& name) {
  const auto found =
      std::find_if(zones.begin(), zones.end(), [&](const Zone& z) { return z.name() == name; });
  if (found == zones.end())
    throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: the unknown zone '" + name + "'");
  return static_cast<std::uint16_t>(found - zones.begin());
}

// The function that a call names and its arguments as Python values.
class CallReader {
 public:
  explicit CallReader(std::string_view call) : rest_(call) {}

  std::uint32_t number() { return take<std::uint32_t>(); }

  py::tuple arguments() {
    py::list values;
    while (!rest_.empty()) values.append(value());
    return py::tuple(values);
  }

 private:
  template <class T>
  T take() {
    T out;
    std::memcpy(&out, rest_.data(), sizeof out);
    rest_.remove_prefix(sizeof out);
    return out;
  }

  py::str text() {
    const std::uint32_t size = number();
    py::str out(rest_.data(), size);
    rest_.remove_prefix(size);
    return out;
  }

  py::list items() {
    py::list out;
    for (std::uint32_t left = number(); left > 0; --left) out.append(value());
    return out;
  }

  static py::object after_epoch(std::int64_t microseconds) {
    const py::module_ datetime = py::module_::import("datetime");
    return datetime.attr("datetime")(1970, 1, 1) +
           datetime.attr("timedelta")(py::arg("microseconds") = microseconds);
  }

  py::object value() {
    const py::module_ datetime = py::module_::import("datetime");
    switch (static_cast<CallTag>(take<char>())) {
      case CallTag::none:
        return py::none();
      case CallTag::no:
        return py::bool_(false);
      case CallTag::yes:
        return py::bool_(true);
      case CallTag::integer:
        return py::int_(take<std::int64_t>());
      case CallTag::floating:
        return py::float_(take<double>());
      case CallTag::text:
        return text();
      case CallTag::markup:
        return py::module_::import("markupsafe").attr("Markup")(text());
      case CallTag::date:
        return datetime.attr("date").attr("fromordinal")(take<std::int64_t>() + kFirstOrdinal);
      case CallTag::timestamp:
        return after_epoch(take<std::int64_t>());
      case CallTag::list:
        return items();
      case CallTag::tuple:
        return py::tuple(items());
      case CallTag::zoned: {
        const py::object civil = after_epoch(take<std::int64_t>());
        const bool fold = take<char>() == '1';
        const py::object zone = py::module_::import("labfactory.compiler.zones").attr("zone")(text());
        return civil.attr("replace")(py::arg("tzinfo") = zone, py::arg("fold") = fold ? 1 : 0);
      }
      case CallTag::time:
        return after_epoch(take<std::int64_t>()).attr("time")();
      case CallTag::duration:
        return datetime.attr("timedelta")(py::arg("microseconds") = take<std::int64_t>());
      case CallTag::decimal:
        return py::module_::import("decimal").attr("Decimal")(text());
      case CallTag::dict: {
        py::dict out;
        for (std::uint32_t left = number(); left > 0; --left) {
          const py::object key = value();
          out[key] = value();
        }
        return out;
      }
    }
    throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: a call with an unknown kind of argument");
  }

  std::string_view rest_;
};

}  // namespace

bool answer(Memo& memo, std::span<const Zone> zones, const py::object& resolve) {
  const std::vector<std::string> calls = memo.take_requests();
  if (calls.empty()) return false;
  if (resolve.is_none()) throw Error(ErrorKind::usage, "option", "expected the functions of the plan");
  const ZoneNumber zone = [&](const std::string& name) { return known_zone(zones, name); };
  for (std::size_t first = 0; first < calls.size();) {
    const std::uint32_t function = CallReader(calls[first]).number();
    py::list rows;
    std::size_t last = first;
    for (; last < calls.size(); ++last) {
      CallReader reader(calls[last]);
      if (reader.number() != function) break;
      rows.append(reader.arguments());
    }
    const py::list results = resolve(function, rows);
    if (results.size() != rows.size()) {
      throw Error(ErrorKind::usage, "option", "expected a result for each call of a function");
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      const bool failed = PyExceptionInstance_Check(results[i].ptr()) != 0;
      const Value result = failed ? Value::none() : read_constant(memo.store(), zone, results[i]);
      memo.keep(calls[first + i], result, failed ? Outcome::function_failed : Outcome::ok);
    }
    first = last;
  }
  return true;
}

}  // namespace labfactory::bindings
