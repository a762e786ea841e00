#include "labfactory/audit/auditor.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "labfactory/audit/characters.hpp"
#include "labfactory/audit/link_rules.hpp"
#include "labfactory/audit/sms.hpp"
#include "labfactory/audit/tag_memory.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory {

namespace {

// Rows of one task: large enough to hide the hand-out, small enough to share a batch between threads.
constexpr std::int64_t kTaskRows = 2048;

// In the order of RuleKind.
constexpr std::array<std::string_view, 13> kKindNames = {
    "required_text",  "forbidden_text", "max_bytes",        "min_bytes",     "max_json_bytes",
    "max_segments",   "single_line",    "no_controls",      "no_delimiters", "link_schemes",
    "no_empty_links", "required_link",  "max_payload_bytes"};
static_assert(kKindNames.size() == static_cast<std::size_t>(RuleKind::max_payload_bytes) + 1);

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
  // Rules about links that one look at the tags serves.
  struct Links {
    LinkRules rules;
    std::vector<std::size_t> numbers;  // in the auditor
  };

  std::string name;
  const Column* parent = nullptr;  // whose null rows have no text
  const Column* texts = nullptr;
  std::vector<std::size_t> rules;
  std::vector<std::size_t> link_rules;
  std::vector<Links> links;

  [[nodiscard]] std::string_view text(std::int64_t row) const {
    if (parent != nullptr && !parent->is_valid(row)) return {};
    return texts->is_valid(row) ? texts->text(row) : std::string_view();
  }
};

// All parts of the batch at hand, and a rule about them together.
struct Auditor::Payload {
  std::size_t rule = 0;
  std::vector<Part> parts;
  std::int64_t frame_bytes = 0;  // of the JSON object without its values

  [[nodiscard]] std::int64_t bytes(std::int64_t row) const {
    std::int64_t sum = frame_bytes;
    for (const Part& part : parts) sum += json_bytes(part.text(row));
    return sum;
  }
};

// What one worker keeps and counts; the sums do not depend on who counted what.
struct Auditor::Judge {
  const Auditor& auditor;
  const std::vector<Part>& parts;
  const std::vector<Payload>& payloads;
  std::vector<TagMemory> memories;  // of all links of all parts, in their order
  std::vector<std::int64_t> broken;
  std::vector<std::uint8_t> is_broken;
  std::int64_t audited = 0;

  Judge(const Auditor& of, const std::vector<Part>& bound, const std::vector<Payload>& together)
      : auditor(of), parts(bound), payloads(together), broken(of.rules_.size()), is_broken(of.rules_.size()) {
    for (const Part& part : parts) {
      for (const Part::Links& links : part.links) memories.emplace_back(links.rules);
    }
  }

  // The first rule that a row breaks, -1 where it breaks none.
  std::int32_t judge(std::int64_t row) {
    ++audited;
    auto memory = memories.begin();
    for (const Part& part : parts) {
      const std::string_view text = part.text(row);
      for (const std::size_t rule : part.rules) is_broken[rule] = auditor.is_broken_by(text, rule) ? 1 : 0;
      for (const Part::Links& links : part.links) {
        const ToldRules told = (memory++)->read(text);
        for (std::size_t i = 0; i < links.numbers.size(); ++i)
          is_broken[links.numbers[i]] = links.rules.is_broken(i, told) ? 1 : 0;
      }
    }
    for (const Payload& payload : payloads) {
      is_broken[payload.rule] = payload.bytes(row) > auditor.rules_[payload.rule].limit ? 1 : 0;
    }
    std::int32_t first = -1;
    for (std::size_t rule = broken.size(); rule-- > 0;) {
      const std::uint8_t found = is_broken[auditor.standing_for_[rule]];
      broken[rule] += found;
      if (found != 0) first = static_cast<std::int32_t>(rule);
    }
    return first;
  }
};

Auditor::Auditor(std::vector<AuditRule> rules) : rules_(std::move(rules)) {
  for (const AuditRule& rule : rules_) {
    needles_.emplace_back(rule.text, rule.ignore_case);
    standing_for_.push_back(
        static_cast<std::size_t>(std::find(rules_.begin(), rules_.end(), rule) - rules_.begin()));
  }
}

std::vector<Auditor::Part> Auditor::bind(const Batch& batch) const {
  const Column* const parent = batch.find("parts");
  std::vector<Part> parts;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (standing_for_[i] != i || rules_[i].kind == RuleKind::max_payload_bytes) continue;
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
      part = parts.insert(parts.end(), Part{name, parent, column, {}, {}, {}});
    }
    (reads_links(rules_[i].kind) ? part->link_rules : part->rules).push_back(i);
  }
  for (Part& part : parts) add_link_rules(part);
  return parts;
}

std::vector<Auditor::Payload> Auditor::bind_payloads(const Batch& batch) const {
  const Column* const parent = batch.find("parts");
  std::vector<Payload> payloads;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (standing_for_[i] != i || rules_[i].kind != RuleKind::max_payload_bytes) continue;
    if (parent == nullptr) {
      throw Error(ErrorKind::content, "audit_part",
                  "rule " + std::to_string(i + 1) + " audits all parts together, the assets have none",
                  "Audit the asset of a lone template by 'asset'.");
    }
    Payload payload{i, {}, 1};  // a brace; each part brings its name, a colon, and a comma or the last brace
    for (const DataType& field : parent->type().children) {
      const Column* const column = parent->field(field.name);
      expect_text(*column, field.name);
      payload.parts.push_back({field.name, parent, column, {}, {}, {}});
      payload.frame_bytes += json_bytes(field.name) + 2;
    }
    payloads.push_back(std::move(payload));
  }
  return payloads;
}

void Auditor::add_link_rules(Part& part) const {
  for (std::size_t from = 0; from < part.link_rules.size(); from += LinkRules::kMost) {
    std::vector<std::size_t> numbers;
    std::vector<LinkRules::Entry> entries;
    for (std::size_t i = from; i < std::min(from + LinkRules::kMost, part.link_rules.size()); ++i) {
      numbers.push_back(part.link_rules[i]);
      entries.push_back({&rules_[numbers.back()], &needles_[numbers.back()]});
    }
    part.links.push_back({LinkRules(std::move(entries)), std::move(numbers)});
  }
}

AuditFindings Auditor::audit(const Batch& batch, int threads) const {
  const std::vector<Part> parts = bind(batch);
  const std::vector<Payload> payloads = bind_payloads(batch);
  const Column* const status = batch.find("status");
  if (status != nullptr) expect_text(*status, "status");
  const auto is_audited = [status](std::int64_t row) {
    return status == nullptr || (status->is_valid(row) && status->text(row) == "ok");
  };

  const std::int64_t tasks = (batch.length() + kTaskRows - 1) / kTaskRows;
  std::vector<Judge> judges(static_cast<std::size_t>(std::max(threads, 1)), Judge(*this, parts, payloads));
  std::vector<std::int32_t> first(static_cast<std::size_t>(batch.length()), -1);
  parallel_for(threads, tasks, [&](std::int64_t task, int worker) {
    Judge& judge = judges[static_cast<std::size_t>(worker)];
    const std::int64_t end = std::min(batch.length(), (task + 1) * kTaskRows);
    for (std::int64_t row = task * kTaskRows; row < end; ++row) {
      if (is_audited(row)) first[static_cast<std::size_t>(row)] = judge.judge(row);
    }
  });

  AuditFindings findings;
  findings.broken.resize(rules_.size());
  for (const Judge& judge : judges) {
    findings.audited += judge.audited;
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) findings.broken[rule] += judge.broken[rule];
  }
  Bitmap validity;
  for (std::int32_t& rule : first) {
    validity.append(rule >= 0);
    rule = std::max(rule, 0);
  }
  findings.rule = make_array(std::move(first), std::move(validity));
  return findings;
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

}  // namespace labfactory
