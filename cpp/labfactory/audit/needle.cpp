#include "labfactory/audit/needle.hpp"

#include <algorithm>

namespace labfactory {

Needle::Needle(std::string_view text, bool ignore_case) : text_(text), ignore_case_(ignore_case) {
  if (!ignore_case) return;
  std::transform(text_.begin(), text_.end(), text_.begin(), fold);
  shift_.fill(static_cast<std::uint32_t>(text_.size()));
  for (std::size_t i = 0; i + 1 < text_.size(); ++i) {
    const auto shift = static_cast<std::uint32_t>(text_.size() - 1 - i);
    const char letter = text_[i];
    shift_[static_cast<std::uint8_t>(letter)] = shift;
    if (letter >= 'a' && letter <= 'z') shift_[static_cast<std::uint8_t>(letter - 32)] = shift;
  }
}

bool Needle::is_in(std::string_view text) const {
  if (text_.empty()) return true;
  return ignore_case_ ? is_folded_in(text) : text.find(text_) != std::string_view::npos;
}

bool Needle::is_folded_in(std::string_view text) const {
  const std::size_t size = text_.size();
  const char last = text_.back();
  for (std::size_t end = size; end <= text.size();) {
    const char c = text[end - 1];
    if (fold(c) == last && equal_folded(text.substr(end - size, size), text_)) return true;
    end += shift_[static_cast<std::uint8_t>(c)];
  }
  return false;
}

}  // namespace labfactory
