#include "labfactory/bindings/registers.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace labfactory::bindings;
  module.doc() = "The native core; labfactory's Python rooms are its only callers.";
  register_errors();
  register_arrow(module);  // first, so that the others' signatures know its Array
  register_plan(module);
  register_base(module);
  register_assign(module);
  register_stats(module);
  register_values(module);
  register_select(module);
  register_limits(module);
  register_audit(module);
}
