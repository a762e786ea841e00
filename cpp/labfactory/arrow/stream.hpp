// Arrays that go out one after another: the C stream interface over whatever gives them.
// Owner: the consumer owns the stream, which shares its source. Threads: one at a time, without the GIL.
#pragma once

#include <memory>

#include "labfactory/arrow/abi.hpp"
#include "labfactory/arrow/builder.hpp"

namespace labfactory {

class ArraySource {
 public:
  ArraySource() = default;
  ArraySource(const ArraySource&) = delete;
  ArraySource& operator=(const ArraySource&) = delete;
  virtual ~ArraySource() = default;

  // Any array of the type that all have.
  [[nodiscard]] virtual ArrayPointer example() = 0;
  // The next array; null behind the last.
  [[nodiscard]] virtual ArrayPointer next() = 0;
};

// Fills a struct that the consumer owns from then on.
void export_stream(std::shared_ptr<ArraySource> source, ArrowArrayStream* out);

}  // namespace labfactory
