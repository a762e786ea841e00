// Rules over assembled text: each row is read once and judged by every rule of its parts.
// Owner: the auditor holds its rules; findings own their memory, texts are read in place.
// Threads: one auditor may be used from many; a call spreads its rows itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/audit/needle.hpp"

namespace labfactory {

enum class RuleKind : std::uint8_t {
  required_text,   // `text` is in the part
  forbidden_text,  // `text` is not in the part
  max_bytes,       // at most `limit` bytes
  min_bytes,       // at least `limit` bytes
  max_json_bytes,  // at most `limit` bytes as a JSON string
  max_segments,    // at most `limit` messages as an SMS
  single_line,     // no line break
  no_controls,     // no character that XML 1.0 forbids
  no_delimiters,   // no {{ and no {%
  link_schemes,  // every link has one of `schemes`, or none where `allow_relative`; links to a fragment pass
  no_empty_links,     // no link is empty or a lone #
  required_link,      // some href holds `text`
  max_payload_bytes,  // all parts together are at most `limit` bytes as one JSON object
};

[[nodiscard]] std::optional<RuleKind> rule_kind_of(std::string_view name);

struct AuditRule {
  RuleKind kind = RuleKind::required_text;
  std::string part;
  std::string text;
  bool ignore_case = false;
  std::int64_t limit = 0;
  std::vector<std::string> schemes;
  bool allow_relative = false;

  [[nodiscard]] bool operator==(const AuditRule&) const = default;
};

struct AuditFindings {
  ArrayPointer rule;                 // int32: the first rule that a row breaks; null where it breaks none
  std::vector<std::int64_t> broken;  // rows that break each rule
  std::int64_t audited = 0;          // rows whose status is ok
};

class Auditor {
 public:
  explicit Auditor(std::vector<AuditRule> rules);

  // Parts are the fields of column `parts`, or columns of the batch by their name; of a null part the text is
  // empty. Rows whose `status` is not ok are passed over; without such a column all rows count.
  // Error(content, "audit_part") when the batch lacks a part, Error(source, "column_type") when one is not
  // text.
  [[nodiscard]] AuditFindings audit(const Batch& batch, int threads) const;

 private:
  struct Part;
  struct Payload;
  struct Judge;

  [[nodiscard]] std::vector<Part> bind(const Batch& batch) const;
  [[nodiscard]] std::vector<Payload> bind_payloads(const Batch& batch) const;
  void add_link_rules(Part& part) const;
  [[nodiscard]] bool is_broken_by(std::string_view text, std::size_t rule) const;

  std::vector<AuditRule> rules_;
  std::vector<Needle> needles_;            // one a rule
  std::vector<std::size_t> standing_for_;  // of each rule, the first that is equal: what that finds, it finds
};

}  // namespace labfactory
