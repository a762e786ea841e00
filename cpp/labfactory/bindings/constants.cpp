#include "labfactory/bindings/constants.hpp"

#include <string>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/zone.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: " + what);
}

std::int64_t part(py::handle object, const char* name) {
  return object.attr(name).cast<std::int64_t>();
}

std::int64_t of_day(py::handle object) {
  const std::int64_t seconds =
      (part(object, "hour") * 60 + part(object, "minute")) * 60 + part(object, "second");
  return seconds * kSecondMicroseconds + part(object, "microsecond");
}

std::int64_t microseconds(py::handle delta) {
  std::int64_t total = 0;
  const std::int64_t rest = part(delta, "seconds") * kSecondMicroseconds + part(delta, "microseconds");
  if (__builtin_mul_overflow(part(delta, "days"), kDayMicroseconds, &total) ||
      __builtin_add_overflow(total, rest, &total)) {
    refuse("a constant past 64 bits of microseconds");
  }
  return total;
}

// The name of a zoneinfo.ZoneInfo, or how Arrow spells a fixed offset.
std::string zone_name(py::handle tzinfo) {
  if (py::hasattr(tzinfo, "key")) return tzinfo.attr("key").cast<std::string>();
  const std::int64_t offset = microseconds(tzinfo.attr("utcoffset")(py::none()));
  return Zone::fixed(static_cast<std::int32_t>(offset / kSecondMicroseconds)).name();
}

Value decimal(ConstantStore& store, py::handle object) {
  const py::tuple parts = object.attr("as_tuple")();
  const py::tuple digits = parts[1];
  if (!py::isinstance<py::int_>(parts[2]) || digits.size() > static_cast<std::size_t>(kMostDecimalDigits)) {
    refuse("a decimal constant that is not finite or has too many digits");
  }
  Decimal out;
  out.is_negative = parts[0].cast<int>() != 0;
  for (const py::handle digit : digits) out.coefficient = out.coefficient * 10 + digit.cast<unsigned>();
  out.exponent = parts[2].cast<std::int32_t>();
  return store.keep_decimal(out);
}

Value moment(const ZoneNumber& zone, py::handle object, bool has_time) {
  const std::int64_t days = part(object.attr("toordinal")(), "real") - kFirstOrdinal;
  if (!has_time) return Value::date(days);
  const std::int64_t civil = days * kDayMicroseconds + of_day(object);
  if (object.attr("tzinfo").is_none()) return Value::timestamp(civil);
  const std::int64_t offset = microseconds(object.attr("utcoffset")()) / kSecondMicroseconds;
  return Value::zoned(civil, zone(zone_name(object.attr("tzinfo"))), static_cast<std::int32_t>(offset),
                      part(object, "fold") != 0);
}

}  // namespace

Value read_constant(ConstantStore& store, const ZoneNumber& zone, py::handle object) {
  if (object.is_none()) return Value::none();
  if (py::isinstance<py::bool_>(object)) return Value::boolean(object.cast<bool>());
  if (py::isinstance<py::int_>(object)) return Value::integer(object.cast<std::int64_t>());
  if (py::isinstance<py::float_>(object)) return Value::floating(object.cast<double>());
  if (py::isinstance<py::str>(object)) {
    return store.keep_text(object.cast<std::string>(), py::hasattr(object, "__html__"));
  }
  if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object)) {
    std::vector<Value> items;
    for (const py::handle item : object) items.push_back(read_constant(store, zone, item));
    return store.keep_list(std::move(items), py::isinstance<py::list>(object) ? Kind::list : Kind::tuple);
  }
  if (py::isinstance<py::dict>(object)) {
    std::vector<Value> pairs;
    for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(object)) {
      pairs.push_back(read_constant(store, zone, key));
      pairs.push_back(read_constant(store, zone, value));
    }
    return store.keep_dict(std::move(pairs));
  }
  const py::module_ datetime = py::module_::import("datetime");
  const auto is_a = [&](const char* name) { return py::isinstance(object, datetime.attr(name)); };
  if (is_a("date")) return moment(zone, object, is_a("datetime"));
  if (is_a("timedelta")) return Value::duration(microseconds(object));
  if (is_a("time") && object.attr("tzinfo").is_none()) return Value::time(of_day(object));
  if (py::isinstance(object, py::module_::import("decimal").attr("Decimal"))) return decimal(store, object);
  refuse("a constant of type " + std::string(py::str(py::type::of(object).attr("__name__"))));
}

}  // namespace labfactory::bindings
