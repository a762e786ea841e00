#include "labfactory/audit/links.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "labfactory/audit/find_byte.hpp"
#include "labfactory/audit/needle.hpp"

namespace labfactory {

namespace {

constexpr bool is_letter(char c) {
  return fold(c) >= 'a' && fold(c) <= 'z';
}
// What a browser strips around a link: C0 controls and space.
constexpr bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= 0x20;
}

// One table look-up a byte: tags are half of an e-mail.
enum Ends : std::uint8_t { ends_tag_name = 1, ends_name = 2, ends_value = 4, ends_gap = 8, ends_spaces = 16 };
constexpr std::array<std::uint8_t, 256> kEnds = [] {
  std::array<std::uint8_t, 256> ends{};
  ends.fill(ends_gap | ends_spaces);
  for (const char c : {' ', '\t', '\n', '\f', '\r'})
    ends[static_cast<std::uint8_t>(c)] = ends_tag_name | ends_name | ends_value;
  ends['>'] |= ends_tag_name | ends_name | ends_value;
  ends['/'] = ends_tag_name | ends_name | ends_spaces;
  ends['='] |= ends_name;
  return ends;
}();

std::size_t find_end(std::string_view html, std::size_t at, Ends of) {
  while (at < html.size() && (kEnds[static_cast<std::uint8_t>(html[at])] & of) == 0) ++at;
  return at;
}

// Where the next tag that opens an element begins; the text's end where there is none.
std::size_t find_tag(std::string_view html, std::size_t at) {
  for (;; ++at) {
    at = find_byte(html, at, '<');
    if (at == std::string_view::npos) return html.size();
    if (at + 1 < html.size() && is_letter(html[at + 1])) return at;
  }
}

// HTML Living Standard, 13.2.5.32 to 13.2.5.39: attribute names and values. False at the end of the tag.
bool read_attribute(std::string_view html, std::size_t& at, Link& attribute) {
  at = find_end(html, at, ends_gap);
  if (at >= html.size() || html[at] == '>') return false;
  const std::size_t name = at;
  at = find_end(html, at + 1, ends_name);
  attribute = {html.substr(name, at - name), {}};
  at = find_end(html, at, ends_spaces);
  if (at >= html.size() || html[at] != '=') return true;
  at = find_end(html, at + 1, ends_spaces);
  if (at >= html.size() || html[at] == '>') return true;
  if (const char quote = html[at]; quote == '"' || quote == '\'') {
    const std::size_t first = at + 1;
    const std::size_t last = std::min(find_byte(html, first, quote), html.size());
    attribute.value = html.substr(first, last - first);
    at = std::min(last + 1, html.size());
    return true;
  }
  const std::size_t first = at;
  at = find_end(html, at, ends_value);
  attribute.value = html.substr(first, at - first);
  return true;
}

}  // namespace

bool TagReader::read(Link* link) {
  Link attribute;
  switch (place_) {
    case Place::outside:
      at_ = find_tag(html_, at_);
      place_ = at_ < html_.size() ? Place::at_tag : Place::end;
      return false;
    case Place::at_tag:
      at_ = find_end(html_, at_ + 1, ends_tag_name);
      place_ = Place::in_tag;
      return false;
    case Place::in_tag:
      if (read_attribute(html_, at_, attribute)) {
        const bool is_link = is_link_attribute(attribute.attribute);
        if (is_link) *link = attribute;
        return is_link;
      }
      place_ = at_ < html_.size() ? Place::outside : Place::end;
      return false;
    case Place::end:
      return false;
  }
  return false;
}

bool is_link_attribute(std::string_view name) {
  const auto is = [name](std::string_view known) { return equal_folded(name, known); };
  switch (name.size()) {
    case 3:
      return is("src");
    case 4:
      return is("href");
    case 6:
      return is("action") || is("poster");
    case 10:
      return is("background") || is("formaction") || is("xlink:href");
    default:
      return false;
  }
}

std::string_view trim_link(std::string_view value) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  return value;
}

// RFC 3986, section 3.1.
std::string_view scheme_of(std::string_view link) {
  if (link.empty() || !is_letter(link.front())) return {};
  for (std::size_t i = 1; i < link.size(); ++i) {
    const char c = link[i];
    if (c == ':') return link.substr(0, i);
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '.' && c != '-') return {};
  }
  return {};
}

bool has_scheme(std::string_view link, const std::vector<std::string>& schemes, bool allow_relative) {
  const std::string_view scheme = scheme_of(link);
  if (scheme.empty()) {
    const std::string_view start = link.substr(0, link.find_first_of("/?#"));
    return allow_relative && std::none_of(start.begin(), start.end(), [](char c) {
             return c == ':' || c == '&' || is_blank(c) || c == '\\';
           });
  }
  const bool is_allowed = std::any_of(schemes.begin(), schemes.end(), [&](const std::string& allowed) {
    return equal_folded(scheme, allowed);
  });
  if (!is_allowed || !(equal_folded(scheme, "https") || equal_folded(scheme, "http"))) return is_allowed;
  const std::string_view rest = link.substr(scheme.size() + 1);
  return rest.starts_with("//") && rest.size() > 2 &&
         std::string_view("/?#\\").find(rest[2]) == std::string_view::npos;
}

}  // namespace labfactory
