#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "labfactory/base/buffer_pool.hpp"

using namespace labfactory;

TEST_CASE("a buffer that came back is handed out again") {
  BufferPool::trim();
  const char* first = nullptr;
  {
    const PooledBuffer buffer = BufferPool::acquire(100'000);
    first = buffer.data();
    CHECK(buffer.capacity() >= 100'000);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % PooledBuffer::kAlignment == 0);
    std::memset(buffer.data(), 1, buffer.capacity());
  }
  CHECK(BufferPool::idle_bytes() >= 100'000);
  const PooledBuffer again = BufferPool::acquire(100'001);
  CHECK(again.data() == first);
  CHECK(BufferPool::idle_bytes() == 0);
}

TEST_CASE("moving a buffer gives nothing back") {
  const std::int64_t before = BufferPool::outstanding();
  PooledBuffer first = BufferPool::acquire(10);
  PooledBuffer second = std::move(first);
  CHECK(BufferPool::outstanding() == before + 1);
  second = PooledBuffer();
  CHECK(BufferPool::outstanding() == before);
}

TEST_CASE("idle memory stays below its limit and trim frees it") {
  BufferPool::trim();
  {
    std::vector<PooledBuffer> many;
    for (int i = 0; i < 6; ++i) many.push_back(BufferPool::acquire(std::size_t{64} << 20));
  }
  CHECK(BufferPool::idle_bytes() == BufferPool::idle_limit());
  BufferPool::trim();
  CHECK(BufferPool::idle_bytes() == 0);
}

TEST_CASE("buffers come back from other threads") {
  const std::int64_t before = BufferPool::outstanding();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([handed = BufferPool::acquire(5000)]() mutable {
      for (int i = 0; i < 1000; ++i) {
        PooledBuffer other = BufferPool::acquire(static_cast<std::size_t>(i) * 37);
        std::swap(other, handed);
        handed.data()[0] = 'x';
      }
      handed = PooledBuffer();
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  CHECK(BufferPool::outstanding() == before);
}

TEST_CASE("a thread is given the large buffer that it wrote last") {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  BufferPool::trim();
  const char* own = nullptr;
  {
    PooledBuffer mine = BufferPool::acquire(kBytes);
    PooledBuffer other;
    std::thread([&] { other = BufferPool::acquire(kBytes); }).join();
    own = mine.data();
    CHECK(other.data() != own);
    // The other thread's comes back last.
    const PooledBuffer first = std::move(mine);
  }
  const PooledBuffer again = BufferPool::acquire(kBytes);
  CHECK(again.data() == own);
  BufferPool::trim();
}
