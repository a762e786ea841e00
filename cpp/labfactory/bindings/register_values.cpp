#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/format.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// One Unicode version on both sides, or upper case and printable characters differ without a word.
void check_unicode() {
  const auto python = py::module_::import("unicodedata").attr("unidata_version").cast<std::string>();
  if (python == kUnicodeVersion) return;
  const std::string message = "labfactory was built for Unicode " + std::string(kUnicodeVersion) +
                              ", but this Python has Unicode " + python +
                              ": install a labfactory built for this Python version";
  throw py::import_error(message);
}

py::str to_str(std::string_view text) {
  return {text.data(), text.size()};
}

py::object to_optional(std::optional<std::string_view> text) {
  return text ? py::object(to_str(*text)) : py::object(py::none());
}

// The text that a writer puts into a buffer of `bound` bytes; None when it writes none.
template <typename Write>
py::object written(std::size_t bound, Write write) {
  std::string buffer(bound, '\0');
  const char* const end = write(buffer.data());
  if (end == nullptr) return py::none();
  return to_str({buffer.data(), static_cast<std::size_t>(end - buffer.data())});
}

char32_t only_code_point(std::string_view text) {
  if (count_code_points(text) != 1)
    throw py::value_error("expected one character, found " + std::string(text));
  return decode_code_point(text).value;
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  switch (parse_integer(text, value)) {
    case ParsedInteger::ok:
      return value;
    case ParsedInteger::overflow:
      throw std::overflow_error("expected a whole number of 64 bits, found " + std::string(text));
    case ParsedInteger::invalid:
      break;
  }
  return std::nullopt;
}

void raise_fault(FormatFault fault, const Conversion& conversion) {
  if (fault == FormatFault::none) return;
  const std::string message = std::string("the argument does not go with %") + conversion.type;
  if (fault == FormatFault::type) throw py::type_error(message);
  throw py::value_error(message);
}

std::string convert(const Conversion& conversion, py::handle argument) {
  std::string out;
  const auto write = [&out](std::size_t bound, auto writer) {
    out.resize(bound);
    out.resize(static_cast<std::size_t>(writer(out.data()) - out.data()));
  };
  if (py::isinstance<py::int_>(argument)) {
    const auto value = argument.cast<std::int64_t>();
    raise_fault(conversion.integer_fault(value), conversion);
    write(conversion.integer_bound(value), [&](char* at) { return conversion.write_integer(at, value); });
  } else if (py::isinstance<py::float_>(argument)) {
    const auto value = argument.cast<double>();
    raise_fault(conversion.floating_fault(value), conversion);
    write(conversion.floating_bound(value), [&](char* at) { return conversion.write_floating(at, value); });
  } else {
    Arena arena;
    auto value = argument.cast<std::string_view>();
    if (conversion.type == 'r') value = repr_text(value, arena);
    raise_fault(conversion.text_fault(value), conversion);
    write(conversion.text_bound(value), [&](char* at) { return conversion.write_text(at, value); });
  }
  return out;
}

std::string apply_format(const Format& format, const py::args& arguments) {
  if (arguments.size() != format.argument_count()) {
    throw py::type_error("expected " + std::to_string(format.argument_count()) + " arguments, found " +
                         std::to_string(arguments.size()));
  }
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Format::Piece& piece = format.pieces()[i];
    out += piece.literal;
    out += convert(piece.conversion, arguments[i]);
  }
  return out + format.tail();
}

void register_text(py::module_& values) {
  values.def(
      "write_integer",
      [](std::int64_t value) {
        return written(kIntegerBound, [&](char* out) { return write_integer(out, value); });
      },
      py::arg("value"));
  values.def(
      "write_repr",
      [](double value) { return written(kReprBound, [&](char* out) { return write_repr(out, value); }); },
      py::arg("value"));
  values.def(
      "write_fixed",
      [](double value, int precision) {
        if (precision < 0)
          throw py::value_error("expected a precision of 0 or more, found " + std::to_string(precision));
        return written(fixed_bound(value, precision),
                       [&](char* out) { return write_fixed(out, value, precision); });
      },
      py::arg("value"), py::arg("precision"));
  values.def(
      "write_date",
      [](std::int64_t days) { return written(kDateBound, [&](char* out) { return write_date(out, days); }); },
      py::arg("days"));
  values.def(
      "write_timestamp",
      [](std::int64_t microseconds) {
        return written(kTimestampBound, [&](char* out) { return write_timestamp(out, microseconds); });
      },
      py::arg("microseconds"));
  values.def("parse_integer", &to_integer, py::arg("text"));
  values.def("round_to", &round_to, py::arg("value"), py::arg("precision"));
  values.def(
      "round_integer",
      [](std::int64_t value, int precision) {
        bool overflows = false;
        const std::int64_t rounded = round_integer(value, precision, overflows);
        if (overflows) throw std::overflow_error("expected a rounded number of 64 bits");
        return rounded;
      },
      py::arg("value"), py::arg("precision"));
}

void register_escape(py::module_& values) {
  values.def(
      "escape",
      [](std::string_view text) {
        return written(escaped_bound(text.size()), [&](char* out) { return write_escaped(out, text); });
      },
      py::arg("text"));
  values.def(
      "escape_text",
      [](std::string_view text) {
        Arena arena;
        return to_str(escape_text(text, arena));
      },
      py::arg("text"));
}

void register_unicode(py::module_& values) {
  const auto mapper = [](std::string_view (*map)(std::string_view, Arena&)) {
    return [map](std::string_view text) {
      Arena arena;
      return to_str(map(text, arena));
    };
  };
  values.attr("UNICODE_VERSION") = std::string(kUnicodeVersion);
  values.def("upper", mapper(&upper_text), py::arg("text"));
  values.def("lower", mapper(&lower_text), py::arg("text"));
  values.def("capitalize", mapper(&capitalize_text), py::arg("text"));
  values.def("title", mapper(&title_text), py::arg("text"));
  values.def("repr_text", mapper(&repr_text), py::arg("text"));
  values.def(
      "strip",
      [](std::string_view text, std::optional<std::string_view> characters) {
        return to_str(characters ? strip_text(text, *characters) : strip_text(text));
      },
      py::arg("text"), py::arg("characters") = py::none());
  values.def("count_code_points", &count_code_points, py::arg("text"));
  values.def(
      "slice_text",
      [](std::string_view text, std::int64_t start, std::int64_t stop) {
        return to_str(slice_text(text, start, stop));
      },
      py::arg("text"), py::arg("start"), py::arg("stop"));
  values.def(
      "index_text",
      [](std::string_view text, std::int64_t index) { return to_optional(index_text(text, index)); },
      py::arg("text"), py::arg("index"));
  values.def(
      "is_space", [](std::string_view text) { return is_space(only_code_point(text)); }, py::arg("text"));
  values.def(
      "is_printable", [](std::string_view text) { return is_printable(only_code_point(text)); },
      py::arg("text"));
}

void register_filters(py::module_& values) {
  values.def(
      "truncate",
      [](std::string_view text, std::int64_t length, bool killwords, std::string_view end,
         std::int64_t leeway, bool escape_end) {
        Arena arena;
        return to_optional(truncate_text(text, length, killwords, end, leeway, escape_end, arena));
      },
      py::arg("text"), py::arg("length"), py::arg("killwords"), py::arg("end"), py::arg("leeway"),
      py::arg("escape_end") = false);
  constexpr auto kUnlimited = std::numeric_limits<std::size_t>::max();
  values.def(
      "replace",
      [](std::string_view text, std::string_view old, std::string_view with, std::int64_t count,
         std::size_t limit) {
        Arena arena;
        return to_optional(replace_text(text, old, with, count, arena, limit));
      },
      py::arg("text"), py::arg("old"), py::arg("new"), py::arg("count") = -1, py::arg("limit") = kUnlimited);
  values.def(
      "join",
      [](const std::vector<std::string_view>& pieces, std::string_view separator, std::size_t limit) {
        Arena arena;
        return to_optional(join_text(pieces, separator, arena, limit));
      },
      py::arg("pieces"), py::arg("separator"), py::arg("limit") = kUnlimited);
}

void register_format(py::module_& values) {
  py::class_<Format>(values, "Format")
      .def(py::init<std::string_view>(), py::arg("text"))
      .def_property_readonly("argument_count", &Format::argument_count)
      .def("apply", &apply_format);
}

}  // namespace

void register_values(py::module_& module) {
  check_unicode();
  py::module_ values = module.def_submodule("values", "Numbers, text and formats as Python writes them.");
  register_text(values);
  register_escape(values);
  register_unicode(values);
  register_filters(values);
  register_format(values);
}

}  // namespace labfactory::bindings
