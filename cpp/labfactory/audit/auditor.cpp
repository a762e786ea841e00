#include "labfactory/audit/auditor.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "labfactory/audit/characters.hpp"
#include "labfactory/audit/links.hpp"
#include "labfactory/audit/sms.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory {

namespace {

// Rows of one task: large enough to hide the hand-out, small enough to share a batch between threads.
constexpr std::int64_t kTaskRows = 2048;

// In the order of RuleKind.
constexpr std::array<std::string_view, 12> kKindNames = {
    "required_text", "forbidden_text", "max_bytes",     "min_bytes",    "max_json_bytes", "max_segments",
    "single_line",   "no_controls",    "no_delimiters", "link_schemes", "no_empty_links", "required_link"};
static_assert(kKindNames.size() == static_cast<std::size_t>(RuleKind::required_link) + 1);

bool reads_links(RuleKind kind) {
  return kind == RuleKind::link_schemes || kind == RuleKind::no_empty_links ||
         kind == RuleKind::required_link;
}

bool has_delimiter(std::string_view text) {
  for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
    if (at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '%')) return true;
  }
  return false;
}

void expect_text(const Column& column, const std::string& name) {
  if (is_text(column.value_layout()) || column.value_layout() == Layout::null) return;
  throw Error(ErrorKind::source, "column_type",
              "expected text in '" + name + "', found " + type_name(column.type()));
}

}  // namespace

std::optional<RuleKind> rule_kind_of(std::string_view name) {
  const auto* const at = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (at == kKindNames.end()) return std::nullopt;
  return static_cast<RuleKind>(at - kKindNames.begin());
}

// A part of the batch at hand and the rules about it.
struct Auditor::Part {
  std::string name;
  const Column* parent = nullptr;  // whose null rows have no text
  const Column* texts = nullptr;
  std::vector<std::size_t> rules;
  std::vector<std::size_t> link_rules;

  [[nodiscard]] std::string_view text(std::int64_t row) const {
    if (parent != nullptr && !parent->is_valid(row)) return {};
    return texts->is_valid(row) ? texts->text(row) : std::string_view();
  }
};

Auditor::Auditor(std::vector<AuditRule> rules) : rules_(std::move(rules)) {
  for (const AuditRule& rule : rules_) needles_.emplace_back(rule.text, rule.ignore_case);
}

std::vector<Auditor::Part> Auditor::bind(const Batch& batch) const {
  const Column* const parent = batch.find("parts");
  std::vector<Part> parts;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const std::string& name = rules_[i].part;
    auto part =
        std::find_if(parts.begin(), parts.end(), [&](const Part& known) { return known.name == name; });
    if (part == parts.end()) {
      const Column* const column = parent != nullptr ? parent->field(name) : batch.find(name);
      if (column == nullptr)
        throw Error(
            ErrorKind::content, "audit_part",
            "rule " + std::to_string(i + 1) + " audits the part '" + name + "', the assets have no such part",
            "Audit only parts that the creative has.");
      expect_text(*column, name);
      part = parts.insert(parts.end(), Part{name, parent, column, {}, {}});
    }
    (reads_links(rules_[i].kind) ? part->link_rules : part->rules).push_back(i);
  }
  return parts;
}

AuditFindings Auditor::audit(const Batch& batch, int threads) const {
  const std::vector<Part> parts = bind(batch);
  const Column* const status = batch.find("status");
  if (status != nullptr) expect_text(*status, "status");
  const auto is_audited = [status](std::int64_t row) {
    return status == nullptr || (status->is_valid(row) && status->text(row) == "ok");
  };

  // What one worker counted; the sums do not depend on who counted what.
  struct Tally {
    std::vector<std::int64_t> broken;
    std::vector<std::uint8_t> is_broken;
    std::int64_t audited = 0;
  };
  const std::int64_t tasks = (batch.length() + kTaskRows - 1) / kTaskRows;
  std::vector<Tally> tallies(static_cast<std::size_t>(std::max(threads, 1)));
  for (Tally& tally : tallies) tally.broken.resize(rules_.size());
  std::vector<std::int32_t> first(static_cast<std::size_t>(batch.length()), -1);

  parallel_for(threads, tasks, [&](std::int64_t task, int worker) {
    Tally& tally = tallies[static_cast<std::size_t>(worker)];
    const std::int64_t end = std::min(batch.length(), (task + 1) * kTaskRows);
    for (std::int64_t row = task * kTaskRows; row < end; ++row) {
      if (!is_audited(row)) continue;
      ++tally.audited;
      tally.is_broken.assign(rules_.size(), 0);
      for (const Part& part : parts) judge(part.text(row), part, tally.is_broken);
      for (std::size_t rule = rules_.size(); rule-- > 0;) {
        tally.broken[rule] += tally.is_broken[rule];
        if (tally.is_broken[rule] != 0)
          first[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(rule);
      }
    }
  });

  AuditFindings findings;
  findings.broken.resize(rules_.size());
  for (const Tally& tally : tallies) {
    findings.audited += tally.audited;
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) findings.broken[rule] += tally.broken[rule];
  }
  Bitmap validity;
  for (std::int32_t& rule : first) {
    validity.append(rule >= 0);
    rule = std::max(rule, 0);
  }
  findings.rule = make_array(std::move(first), std::move(validity));
  return findings;
}

void Auditor::judge(std::string_view text, const Part& part, std::vector<std::uint8_t>& is_broken) const {
  for (const std::size_t rule : part.rules) is_broken[rule] = is_broken_by(text, rule) ? 1 : 0;
  if (!part.link_rules.empty()) judge_links(text, part, is_broken);
}

bool Auditor::is_broken_by(std::string_view text, std::size_t rule) const {
  const auto size = static_cast<std::int64_t>(text.size());
  switch (rules_[rule].kind) {
    case RuleKind::required_text:
      return !needles_[rule].is_in(text);
    case RuleKind::forbidden_text:
      return needles_[rule].is_in(text);
    case RuleKind::max_bytes:
      return size > rules_[rule].limit;
    case RuleKind::min_bytes:
      return size < rules_[rule].limit;
    case RuleKind::max_json_bytes:
      return json_bytes(text) > rules_[rule].limit;
    case RuleKind::max_segments:
      return sms_size(text).segments > rules_[rule].limit;
    case RuleKind::single_line:
      return has_line_break(text);
    case RuleKind::no_controls:
      return has_control(text);
    case RuleKind::no_delimiters:
      return has_delimiter(text);
    default:
      return false;
  }
}

void Auditor::judge_links(std::string_view html, const Part& part,
                          std::vector<std::uint8_t>& is_broken) const {
  for (const std::size_t rule : part.link_rules)
    is_broken[rule] = rules_[rule].kind == RuleKind::required_link ? 1 : 0;
  LinkReader reader(html);
  Link link;
  while (reader.next(&link)) {
    const std::string_view value = trim_link(link.value);
    const bool is_empty = value.empty() || value == "#";
    for (const std::size_t rule : part.link_rules) {
      const AuditRule& wanted = rules_[rule];
      if (wanted.kind == RuleKind::no_empty_links) {
        if (is_empty) is_broken[rule] = 1;
      } else if (wanted.kind == RuleKind::link_schemes) {
        const bool is_fragment = value.empty() || value.front() == '#';
        if (!is_fragment && !has_scheme(value, wanted.schemes, wanted.allow_relative)) is_broken[rule] = 1;
      } else if (equal_folded(link.attribute, "href") && needles_[rule].is_in(value)) {
        is_broken[rule] = 0;
      }
    }
  }
}

}  // namespace labfactory
