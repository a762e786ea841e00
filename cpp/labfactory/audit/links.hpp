// The links of an HTML text: values of href, src and their like, found by the tags alone.
// Owner: nothing; values are views of the text.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace labfactory {

struct Link {
  std::string_view attribute;  // as written
  std::string_view value;      // as written: entities are not decoded
};

// The links from `position` on: moves it behind the next link and fills it, false when there is none. Tags
// inside comments, scripts and styles count too, since some clients show what others hide.
class LinkReader {
 public:
  explicit LinkReader(std::string_view html) : html_(html) {}

  [[nodiscard]] bool next(Link* link);

 private:
  std::string_view html_;
  std::size_t at_ = 0;
  bool is_in_tag_ = false;
};

// href, src, action, background, formaction, poster, xlink:href; in any case.
[[nodiscard]] bool is_link_attribute(std::string_view name);

// Without what browsers drop before reading a link: spaces and control characters at both ends.
[[nodiscard]] std::string_view trim_link(std::string_view value);

// The scheme of a trimmed link as written, empty when it has none.
[[nodiscard]] std::string_view scheme_of(std::string_view link);

// Whether a trimmed link has one of the schemes, web schemes with a host; or, if allowed, none: then nothing
// before its path may look like a scheme, not even through entities or control characters.
[[nodiscard]] bool has_scheme(std::string_view link, const std::vector<std::string>& schemes,
                              bool allow_relative);

}  // namespace labfactory
