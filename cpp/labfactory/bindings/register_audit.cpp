#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "labfactory/audit/auditor.hpp"
#include "labfactory/audit/sms.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// kind, part, text, ignore_case, limit, schemes, allow_relative
using RuleFields =
    std::tuple<std::string, std::string, std::string, bool, std::int64_t, std::vector<std::string>, bool>;

Auditor make_auditor(std::vector<RuleFields> fields) {
  std::vector<AuditRule> rules;
  for (auto& [kind, part, text, ignore_case, limit, schemes, allow_relative] : fields) {
    const std::optional<RuleKind> known = rule_kind_of(kind);
    if (!known) throw Error(ErrorKind::content, "audit_rule", "unknown kind of audit rule '" + kind + "'");
    rules.push_back(
        {*known, std::move(part), std::move(text), ignore_case, limit, std::move(schemes), allow_relative});
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

py::tuple sms_sizes(py::handle object) {
  const std::shared_ptr<const Batch> batch = import_batch(object);
  std::vector<std::int8_t> encodings;
  std::vector<std::int64_t> units, segments;
  {
    const py::gil_scoped_release released;
    const Column* const texts = batch->find("text");
    if (texts == nullptr || !is_text(texts->value_layout()))
      throw Error(ErrorKind::source, "column_type", "expected text in 'text', found another column");
    for (std::int64_t row = 0; row < batch->length(); ++row) {
      const SmsSize size = sms_size(texts->is_valid(row) ? texts->text(row) : std::string_view());
      encodings.push_back(static_cast<std::int8_t>(size.encoding));
      units.push_back(size.units);
      segments.push_back(size.segments);
    }
  }
  return py::make_tuple(Array(make_array(std::move(encodings))), Array(make_array(std::move(units))),
                        Array(make_array(std::move(segments))));
}

}  // namespace

void register_audit(py::module_& module) {
  py::module_ submodule = module.def_submodule("audit", "Rules over assembled text.");
  py::class_<Auditor>(submodule, "Auditor",
                      "Rules as (kind, part, text, ignore_case, limit, schemes, allow_relative).")
      .def(py::init(&make_auditor), py::arg("rules"))
      .def("audit", &audit, py::arg("batch"), py::arg("threads"),
           "(int32 array: the first rule each row breaks, rows that break each rule, rows audited).");
  submodule.def("sms_sizes", &sms_sizes, py::arg("batch"),
                "(int8 array: 0 for GSM 7-bit and 1 for UCS-2, units, segments) of the column `text`.");
}

}  // namespace labfactory::bindings
