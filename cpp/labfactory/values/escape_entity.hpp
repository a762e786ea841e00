// The replacement of each character that markupsafe.escape replaces, as one 8-byte store.
// Owner: constants only.
// Threads: any.
#pragma once

#include <cstddef>

namespace labfactory::escape_detail {

struct Entity {
  char text[7];
  unsigned char size;  // 0: the character stays
};

// Every character that is replaced lies below this one.
inline constexpr std::size_t kEntities = 64;

struct Entities {
  Entity at[kEntities]{};

  constexpr Entities() {
    at[static_cast<std::size_t>('&')] = {"&amp;", 5};
    at[static_cast<std::size_t>('<')] = {"&lt;", 4};
    at[static_cast<std::size_t>('>')] = {"&gt;", 4};
    at[static_cast<std::size_t>('\'')] = {"&#39;", 5};
    at[static_cast<std::size_t>('"')] = {"&#34;", 5};
  }
};

inline constexpr Entities kEntityTable;

}  // namespace labfactory::escape_detail
