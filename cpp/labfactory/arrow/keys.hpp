// Hashes of customer keys: what assignment and selection draw by.
// Owner: the array returned owns its buffers.
// Threads: any.
#pragma once

#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"

namespace labfactory {

// uint64: hash64 of each key's UTF-8 text, an integer's being its decimal digits ('7', '-7'); null stays
// null. Keys are integers or text, plain or in a dictionary; Error(source, "key_type") for anything else.
[[nodiscard]] ArrayPointer hash_keys(const Column& keys);

}  // namespace labfactory
