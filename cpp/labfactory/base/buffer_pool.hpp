// Aligned buffers that are used again: touching fresh memory costs eight times as much as writing an asset
// into it. Owner: a PooledBuffer owns its memory and gives it back to the pool when it dies. Threads: acquire
// and give back from any thread, with or without the GIL, also while the process ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace labfactory {

class PooledBuffer {
 public:
  // Every buffer starts at a multiple of this, as Arrow recommends.
  static constexpr std::size_t kAlignment = 64;

  PooledBuffer() = default;
  PooledBuffer(const PooledBuffer&) = delete;
  PooledBuffer& operator=(const PooledBuffer&) = delete;
  PooledBuffer(PooledBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}
  PooledBuffer& operator=(PooledBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~PooledBuffer();

  [[nodiscard]] char* data() const { return data_; }
  // At least what was asked for; all of it may be written.
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] explicit operator bool() const { return data_ != nullptr; }

 private:
  friend class BufferPool;
  PooledBuffer(char* data, std::size_t capacity) : data_(data), capacity_(capacity) {}

  char* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// The one pool of the process; it is never destroyed, so that a late release finds it.
class BufferPool {
 public:
  // A buffer of at least `bytes`, its content undefined; std::bad_alloc when there is no memory.
  [[nodiscard]] static PooledBuffer acquire(std::size_t bytes);

  // Bytes kept for later, never above idle_limit().
  [[nodiscard]] static std::size_t idle_bytes();
  [[nodiscard]] static std::size_t idle_limit();
  // Buffers handed out and not given back.
  [[nodiscard]] static std::int64_t outstanding();
  // Gives the idle memory to the system.
  static void trim();

 private:
  friend class PooledBuffer;
  static void give_back(char* data, std::size_t capacity) noexcept;
};

}  // namespace labfactory
