#include "labfactory/base/dispatch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

namespace labfactory {

namespace {

constexpr std::array<std::string_view, 3> kNames = {"baseline", "avx2", "avx512"};

Level processor_level() {
#if defined(__x86_64__)
  // The sets that CMakeLists.txt compiles *_avx2.cpp and *_avx512.cpp for.
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return avx512 ? Level::avx512 : avx2 ? Level::avx2 : Level::baseline;
#else
  return Level::baseline;
#endif
}

// What the processor has and the environment allows; an unknown name in the environment allows all.
Level available_level() {
  static const Level found = [] {
    const char* const wish = std::getenv("LABFACTORY_DISPATCH");
    return std::min(processor_level(),
                    wish == nullptr ? Level::avx512 : level_of(wish).value_or(Level::avx512));
  }();
  return found;
}

std::atomic<Level> most_allowed = Level::avx512;

}  // namespace

Level dispatch_level() {
  return std::min(available_level(), most_allowed.load(std::memory_order_relaxed));
}

void limit_dispatch(Level most) {
  most_allowed.store(most, std::memory_order_relaxed);
}

std::string_view level_name(Level level) {
  return kNames.at(static_cast<std::size_t>(level));
}

std::optional<Level> level_of(std::string_view name) {
  const auto* const at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Level>(at - kNames.begin());
}

}  // namespace labfactory
