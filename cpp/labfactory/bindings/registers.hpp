// One function per noun that Python sees; module.cpp calls them all.
// Owner: nothing.
// Threads: called once, by the import, with the GIL.
#pragma once

#include <pybind11/pybind11.h>

namespace labfactory::bindings {

void register_arrow(pybind11::module_& module);
void register_assign(pybind11::module_& module);
void register_audit(pybind11::module_& module);
void register_base(pybind11::module_& module);
void register_errors();
void register_limits(pybind11::module_& module);
void register_stats(pybind11::module_& module);
void register_values(pybind11::module_& module);
void register_select(pybind11::module_& module);

void register_plan(pybind11::module_& module);

}  // namespace labfactory::bindings
