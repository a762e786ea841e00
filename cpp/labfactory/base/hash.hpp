// The one hash of the project, XXH64: keys of customers, slots, purposes and components. Its values are in
// logs and packages, so it is frozen by the published vectors. Owner: nothing. Threads: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace labfactory {

[[nodiscard]] std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

// The low 32 bits of hash64, for the words of a Philox counter.
[[nodiscard]] inline std::uint32_t hash32(std::string_view bytes) {
  return static_cast<std::uint32_t>(hash64(bytes));
}

}  // namespace labfactory
