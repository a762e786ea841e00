#include "labfactory/arrow/keys.hpp"

#include <charconv>
#include <utility>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"

namespace labfactory {

namespace {

template <class Integer>
std::uint64_t hash_integer(Integer value) {
  char digits[20];
  const auto written = std::to_chars(digits, digits + sizeof(digits), value);
  return hash64({digits, static_cast<std::size_t>(written.ptr - digits)});
}

// Of every row; of a null row whatever is cheap.
std::vector<std::uint64_t> hash_values(const Column& keys) {
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(keys.length()), 0);
  const Layout layout = keys.value_layout();
  for (std::int64_t i = 0; i < keys.length(); ++i) {
    if (!keys.is_valid(i)) continue;
    std::uint64_t& hash = hashes[static_cast<std::size_t>(i)];
    if (is_text(layout))
      hash = hash64(keys.text(i));
    else if (layout == Layout::uint64)
      hash = hash_integer(static_cast<std::uint64_t>(keys.integer(i)));
    else
      hash = hash_integer(keys.integer(i));
  }
  return hashes;
}

// A dictionary no larger than the rows is hashed once an entry, then looked up.
std::vector<std::uint64_t> hash_entries(const Column& keys) {
  const std::vector<std::uint64_t> entries = hash_values(keys.dictionary());
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(keys.length()), 0);
  for (std::int64_t i = 0; i < keys.length(); ++i) {
    if (keys.is_valid(i))
      hashes[static_cast<std::size_t>(i)] = entries[static_cast<std::size_t>(keys.entry(i))];
  }
  return hashes;
}

}  // namespace

ArrayPointer hash_keys(const Column& keys) {
  const Layout layout = keys.value_layout();
  if (!is_text(layout) && !is_integer(layout) && layout != Layout::null)
    throw Error(ErrorKind::source, "key_type",
                "expected keys of text or integers, found " + type_name(keys.type()) + " in '" +
                    keys.type().name + "'",
                "Cast the key to text.");
  Bitmap validity;
  for (std::int64_t i = 0; i < keys.length(); ++i) validity.append(keys.is_valid(i));
  const bool by_entry = keys.layout() == Layout::dictionary && keys.dictionary().length() <= keys.length();
  return make_array(by_entry ? hash_entries(keys) : hash_values(keys), std::move(validity));
}

}  // namespace labfactory
