#include "labfactory/audit/links.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "labfactory/audit/needle.hpp"

namespace labfactory {

namespace {

constexpr bool is_letter(char c) {
  return fold(c) >= 'a' && fold(c) <= 'z';
}
constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}
// What a browser strips around a link: C0 controls and space.
constexpr bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= 0x20;
}

// One table look-up a byte: tags are half of an e-mail.
enum Ends : std::uint8_t { ends_tag_name = 1, ends_name = 2, ends_value = 4 };
constexpr std::array<std::uint8_t, 256> kEnds = [] {
  std::array<std::uint8_t, 256> ends{};
  for (const char c : {' ', '\t', '\n', '\f', '\r', '>'})
    ends[static_cast<std::uint8_t>(c)] = ends_tag_name | ends_name | ends_value;
  ends['/'] = ends_tag_name | ends_name;
  ends['='] = ends_name;
  return ends;
}();

std::size_t find_end(std::string_view html, std::size_t at, Ends of) {
  while (at < html.size() && (kEnds[static_cast<std::uint8_t>(html[at])] & of) == 0) ++at;
  return at;
}

}  // namespace

bool LinkReader::next(Link* link) {
  for (;;) {
    if (!is_in_tag_ && !enter_tag()) return false;
    while (next_attribute(link)) {
      if (is_link_attribute(link->attribute)) return true;
    }
  }
}

bool LinkReader::enter_tag() {
  for (;;) {
    at_ = html_.find('<', at_);
    if (at_ == std::string_view::npos) return false;
    ++at_;
    if (at_ < html_.size() && is_letter(html_[at_])) break;
  }
  at_ = find_end(html_, at_, ends_tag_name);
  is_in_tag_ = true;
  return true;
}

// HTML Living Standard, 13.2.5.32 to 13.2.5.39: attribute names and values.
bool LinkReader::next_attribute(Link* attribute) {
  const auto skip_spaces = [this] {
    while (at_ < html_.size() && is_space(html_[at_])) ++at_;
  };
  while (at_ < html_.size() && (is_space(html_[at_]) || html_[at_] == '/')) ++at_;
  if (at_ >= html_.size() || html_[at_] == '>') {
    is_in_tag_ = false;
    return false;
  }
  const std::size_t name = at_;
  at_ = find_end(html_, at_ + 1, ends_name);
  *attribute = {html_.substr(name, at_ - name), {}};
  skip_spaces();
  if (at_ >= html_.size() || html_[at_] != '=') return true;
  ++at_;
  skip_spaces();
  if (at_ >= html_.size() || html_[at_] == '>') return true;
  if (const char quote = html_[at_]; quote == '"' || quote == '\'') {
    const std::size_t first = at_ + 1;
    const std::size_t last = std::min(html_.find(quote, first), html_.size());
    attribute->value = html_.substr(first, last - first);
    at_ = std::min(last + 1, html_.size());
    return true;
  }
  const std::size_t first = at_;
  at_ = find_end(html_, at_, ends_value);
  attribute->value = html_.substr(first, at_ - first);
  return true;
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
