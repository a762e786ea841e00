#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "labfactory/audit/auditor.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// kind, part, text, ignore_case, bytes, schemes, allow_relative
using RuleFields =
    std::tuple<std::string, std::string, std::string, bool, std::int64_t, std::vector<std::string>, bool>;

Auditor make_auditor(std::vector<RuleFields> fields) {
  std::vector<AuditRule> rules;
  for (auto& [kind, part, text, ignore_case, bytes, schemes, allow_relative] : fields) {
    const std::optional<RuleKind> known = rule_kind_of(kind);
    if (!known) throw Error(ErrorKind::content, "audit_rule", "unknown kind of audit rule '" + kind + "'");
    rules.push_back(
        {*known, std::move(part), std::move(text), ignore_case, bytes, std::move(schemes), allow_relative});
  }
  return Auditor(std::move(rules));
}

py::tuple audit(const Auditor& auditor, py::handle object, int threads) {
  const std::shared_ptr<const Batch> batch = import_batch(object);
  AuditFindings findings;
  {
    const py::gil_scoped_release released;
    findings = auditor.audit(*batch, threads);
  }
  return py::make_tuple(Array(std::move(findings.rule)), findings.broken, findings.audited);
}

}  // namespace

void register_audit(py::module_& module) {
  py::module_ submodule = module.def_submodule("audit", "Rules over assembled text.");
  py::class_<Auditor>(submodule, "Auditor",
                      "Rules as (kind, part, text, ignore_case, bytes, schemes, allow_relative).")
      .def(py::init(&make_auditor), py::arg("rules"))
      .def("audit", &audit, py::arg("batch"), py::arg("threads"),
           "(int32 array: the first rule each row breaks, rows that break each rule, rows audited).");
}

}  // namespace labfactory::bindings
