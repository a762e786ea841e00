#include "labfactory/assign/key_texts.hpp"

#include "labfactory/base/error.hpp"

namespace labfactory {

KeyTexts::KeyTexts(const Column& keys)
    : keys_(&keys),
      is_text_(is_text(keys.value_layout()) || is_binary(keys.value_layout())),
      is_unsigned_(keys.value_layout() == Layout::uint64) {
  if (is_text_ || is_integer(keys.value_layout()) || keys.value_layout() == Layout::null) return;
  throw Error(ErrorKind::source, "key_type",
              "expected keys of text, bytes or integers, found " + type_name(keys.type()) + " in '" +
                  keys.type().name + "'",
              "Cast the key to text.");
}

}  // namespace labfactory
