// Python's values as values of a plan: the constants of programs and what functions give.
// Owner: what a value borrows is kept by the store. Threads: with the GIL held.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <functional>
#include <string>

#include "labfactory/values/constant_store.hpp"

namespace labfactory::bindings {

// date.toordinal() counts from the year 1: that of 1970-01-01.
inline constexpr std::int64_t kFirstOrdinal = 719'163;

// The plan's number of a zone of that name; throws where it has none.
using ZoneNumber = std::function<std::uint16_t(const std::string&)>;

// Error(compile, "plan_invalid") for a type that no value has.
[[nodiscard]] Value read_constant(ConstantStore& store, const ZoneNumber& zone, pybind11::handle object);

}  // namespace labfactory::bindings
