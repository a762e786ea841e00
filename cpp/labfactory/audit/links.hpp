// The links of an HTML text: values of href, src and their like, found by the tags alone.
// Owner: nothing; values are views of the text.
// Threads: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace labfactory {

struct Link {
  std::string_view attribute;  // as written
  std::string_view value;      // as written: entities are not decoded
};

// Where the next tag that opens an element begins, from `at` on; npos where there is none. Tags inside
// comments, scripts and styles count too, since some clients show what others hide.
[[nodiscard]] std::size_t find_tag(std::string_view html, std::size_t at);

// The links of one tag.
class TagReader {
 public:
  // `tag` is what find_tag found.
  TagReader(std::string_view html, std::size_t tag);

  // Fills the next link, false when there is none.
  [[nodiscard]] bool next(Link* link);

  // Once there is none: behind the tag, and whether it ends at all before its text does.
  [[nodiscard]] std::size_t end() const { return is_closed() ? at_ + 1 : at_; }
  [[nodiscard]] bool is_closed() const { return at_ < html_.size(); }

 private:
  std::string_view html_;
  std::size_t at_;
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
