// Which instruction set the kernels use: found once, and lowered on request. The results are the same at
// every level. Owner: one process-wide level. Threads: any may ask; limit_dispatch() takes effect for work
// that begins afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace labfactory {

enum class Level : std::uint8_t { baseline, avx2, avx512 };

// The level in force: what the processor has, lowered by the environment variable LABFACTORY_DISPATCH
// (baseline, avx2 or avx512) and by limit_dispatch().
[[nodiscard]] Level dispatch_level();

// Uses at most this level from now on; Level::avx512 gives back all that the processor has. For tests.
void limit_dispatch(Level most);

[[nodiscard]] std::string_view level_name(Level level);
[[nodiscard]] std::optional<Level> level_of(std::string_view name);

}  // namespace labfactory
