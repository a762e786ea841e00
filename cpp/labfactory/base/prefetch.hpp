// Asks the cache for memory that is read soon.
// Owner: none.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace labfactory {

// What lies so many bytes behind a place need not be there, nor the place itself: the sum is one of numbers,
// as pointers must not leave what they point into. Nearness 3 is the first cache, 2 the second.
template <int Nearness = 3>
[[gnu::always_inline]] inline void prefetch(const void* at, std::size_t bytes = 0) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(at) + bytes), 0,
                     Nearness);
}

}  // namespace labfactory
