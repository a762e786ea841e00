// Move-only owners of the Arrow structs: released once, by whoever holds them last.
// Owner: the struct inside; moving out of a foreign struct nulls its release, as the specification asks.
// Threads: a value; one thread at a time.
#pragma once

#include "labfactory/arrow/abi.hpp"

namespace labfactory {

template <class Struct>
class Unique {
 public:
  Unique() = default;
  // Takes over what a producer hands out; the producer's struct is marked as released.
  explicit Unique(Struct* source) : value_(*source) { source->release = nullptr; }
  Unique(const Unique&) = delete;
  Unique& operator=(const Unique&) = delete;
  Unique(Unique&& other) noexcept : Unique(&other.value_) {}
  Unique& operator=(Unique&& other) noexcept {
    if (this != &other) {
      release();
      value_ = other.value_;
      other.value_.release = nullptr;
    }
    return *this;
  }
  ~Unique() { release(); }

  [[nodiscard]] Struct* get() { return &value_; }
  [[nodiscard]] const Struct& operator*() const { return value_; }
  [[nodiscard]] const Struct* operator->() const { return &value_; }
  [[nodiscard]] explicit operator bool() const { return value_.release != nullptr; }

  // Hands the struct to a consumer, who releases it from then on.
  void move_to(Struct* target) {
    *target = value_;
    value_.release = nullptr;
  }

 private:
  void release() {
    if (value_.release != nullptr) value_.release(&value_);
  }

  Struct value_{};
};

using UniqueArray = Unique<ArrowArray>;
using UniqueSchema = Unique<ArrowSchema>;
using UniqueStream = Unique<ArrowArrayStream>;

}  // namespace labfactory
