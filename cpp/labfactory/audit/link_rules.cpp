#include "labfactory/audit/link_rules.hpp"

#include "labfactory/audit/auditor.hpp"

namespace labfactory {

ToldRules LinkRules::read_text(std::string_view html) const {
  ToldRules told = 0;
  Link link;
  for (TagReader reader(html); !reader.has_ended();) {
    if (reader.read(&link)) told |= read_link(link);
  }
  return told;
}

bool LinkRules::is_broken(std::size_t entry, ToldRules told) const {
  const bool is_told = (told >> entry & 1) != 0;
  return is_told != (entries_[entry].rule->kind == RuleKind::required_link);
}

ToldRules LinkRules::read_link(const Link& link) const {
  const std::string_view value = trim_link(link.value);
  const bool is_fragment = value.empty() || value.front() == '#';
  ToldRules told = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const AuditRule& rule = *entries_[i].rule;
    bool is_told = false;
    if (rule.kind == RuleKind::no_empty_links) {
      is_told = value.empty() || value == "#";
    } else if (rule.kind == RuleKind::link_schemes) {
      is_told = !is_fragment && !has_scheme(value, rule.schemes, rule.allow_relative);
    } else {
      is_told = equal_folded(link.attribute, "href") && entries_[i].needle->is_in(value);
    }
    told |= ToldRules{is_told} << i;
  }
  return told;
}

}  // namespace labfactory
