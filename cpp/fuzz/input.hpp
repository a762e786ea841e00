// The bytes of a fuzzer as numbers and texts.
// Owner: borrows the bytes.
// Threads: one reader belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace labfactory::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  [[nodiscard]] bool is_empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t left() const { return size_; }

  // Zero when the bytes are used up.
  std::uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::uint64_t word() {
    std::uint64_t out = 0;
    const std::size_t n = size_ < sizeof out ? size_ : sizeof out;
    std::memcpy(&out, data_, n);
    data_ += n;
    size_ -= n;
    return out;
  }
  std::int32_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::int32_t>(byte() % n); }
  bool one_in(int n) { return byte() % n == 0; }

  std::string_view text(std::size_t most) {
    const std::size_t n = byte() % (most + 1);
    const std::size_t size = n < size_ ? n : size_;
    const std::string_view out(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    size_ -= size;
    return out;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Stops the fuzzer where something that must hold does not.
inline void expect(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace labfactory::fuzz
