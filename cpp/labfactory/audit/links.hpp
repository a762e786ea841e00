// The links of an HTML text: values of href, src and their like, found by the tags alone.
// Owner: nothing; values are views of the text.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace labfactory {

struct Link {
  std::string_view attribute;  // as written
  std::string_view value;      // as written: entities are not decoded
};

// Reads a text piece by piece: the text up to a tag, a tag's name, an attribute, what ends a tag. Where it
// stands decides all that it reads from there, and each piece depends on its bytes and at most two behind
// them.
class TagReader {
 public:
  enum class Place : std::uint8_t { outside, at_tag, in_tag, end };

  explicit TagReader(std::string_view html) : TagReader(html, 0, Place::outside) {}
  TagReader(std::string_view html, std::size_t at, Place place) : html_(html), at_(at), place_(place) {}

  // Reads the next piece: true and fills `link` where that is one. Tags inside comments, scripts and styles
  // count too, since some clients show what others hide. Not at the end.
  bool read(Link* link);

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] Place place() const { return place_; }
  [[nodiscard]] bool has_ended() const { return place_ == Place::end; }

 private:
  std::string_view html_;
  std::size_t at_;
  Place place_;
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
