// What functions of Python give for the calls that rows wait for.
// Owner: results go into the memo.
// Threads: with the GIL, while no row runs.
#pragma once

#include <pybind11/pybind11.h>

#include <span>

#include "labfactory/values/memo.hpp"
#include "labfactory/values/zone.hpp"

namespace labfactory::bindings {

// A row may wait this many times; then its calls are a chain without end.
inline constexpr int kMostRounds = 100;

// Calls each function once for all that rows asked of the memo; false when they asked for nothing. `resolve`
// takes a function's number and a list of argument tuples, and gives a list of as many results, an exception
// where one failed.
bool answer(Memo& memo, std::span<const Zone> zones, const pybind11::object& resolve);

}  // namespace labfactory::bindings
