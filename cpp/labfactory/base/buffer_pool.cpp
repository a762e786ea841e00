#include "labfactory/base/buffer_pool.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace labfactory {

namespace {

// Two batches of the default 64 MiB in each of two workers.
constexpr std::size_t kIdleLimit = std::size_t{256} << 20;
// Below a page the allocator is as good; classes above grow by powers of two.
constexpr std::size_t kSmallest = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kClasses = 64;
// A buffer that another core wrote last must first leave that core's cache: from this size on a thread is
// given its own again, if one of the few that came back last is.
constexpr std::size_t kLeastKnown = std::size_t{256} << 10;
constexpr std::size_t kLooksBack = 8;

struct State {
  std::mutex mutex;
  std::array<std::vector<char*>, kClasses> idle;
  std::unordered_map<const char*, std::thread::id> writers;  // of large buffers, idle or not
  std::size_t idle_bytes = 0;
  std::int64_t outstanding = 0;
};

State& state();

#if defined(__unix__) || defined(__APPLE__)
// A fork must not copy the pool while another thread is inside it.
void lock_pool() {
  state().mutex.lock();
}
void unlock_pool() {
  state().mutex.unlock();
}
#endif

State& state() {
  static State* const only = [] {
    auto* const made = new State;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(lock_pool, unlock_pool, unlock_pool);
#endif
    return made;
  }();
  return *only;
}

std::size_t class_of(std::size_t capacity) {
  return static_cast<std::size_t>(std::countr_zero(capacity));
}

// An idle buffer, best one that this thread wrote last.
char* take_idle(State& pool, std::vector<char*>& idle, std::size_t capacity) {
  auto taken = std::prev(idle.end());
  if (capacity >= kLeastKnown) {
    const auto last = idle.rbegin();
    const auto looked = last + static_cast<std::ptrdiff_t>(std::min(kLooksBack, idle.size()));
    const auto is_own = [&](const char* data) { return pool.writers[data] == std::this_thread::get_id(); };
    if (const auto own = std::find_if(last, looked, is_own); own != looked) taken = std::prev(own.base());
  }
  char* const data = *taken;
  idle.erase(taken);
  pool.idle_bytes -= capacity;
  return data;
}

char* allocate(std::size_t capacity) {
  const std::size_t alignment = capacity >= kHugePage ? kHugePage : PooledBuffer::kAlignment;
  void* const memory = std::aligned_alloc(alignment, capacity);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  // Page faults are the limit of fresh memory: 2.7 GB/s with small pages, 7 GB/s with huge ones. It is only a
  // wish.
  if (capacity >= kHugePage) (void)madvise(memory, capacity, MADV_HUGEPAGE);
#endif
  return static_cast<char*>(memory);
}

}  // namespace

PooledBuffer BufferPool::acquire(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 62)) throw std::bad_alloc();
  const std::size_t capacity = std::bit_ceil(bytes < kSmallest ? kSmallest : bytes);
  State& pool = state();
  {
    const std::scoped_lock lock(pool.mutex);
    std::vector<char*>& idle = pool.idle.at(class_of(capacity));
    // Room for every buffer that may come back, so that giving back never allocates.
    idle.reserve(idle.size() + static_cast<std::size_t>(pool.outstanding) + 1);
    ++pool.outstanding;
    if (!idle.empty()) {
      char* const data = take_idle(pool, idle, capacity);
      if (capacity >= kLeastKnown) pool.writers[data] = std::this_thread::get_id();
      return {data, capacity};
    }
  }
  char* data = nullptr;
  try {
    data = allocate(capacity);
  } catch (...) {
    const std::scoped_lock lock(pool.mutex);
    --pool.outstanding;
    throw;
  }
  PooledBuffer fresh{data, capacity};
  if (capacity >= kLeastKnown) {
    const std::scoped_lock lock(pool.mutex);
    pool.writers[data] = std::this_thread::get_id();
  }
  return fresh;
}

void BufferPool::give_back(char* data, std::size_t capacity) noexcept {
  State& pool = state();
  {
    const std::scoped_lock lock(pool.mutex);
    --pool.outstanding;
    std::vector<char*>& idle = pool.idle.at(class_of(capacity));
    if (pool.idle_bytes + capacity <= kIdleLimit && idle.size() < idle.capacity()) {
      idle.push_back(data);
      pool.idle_bytes += capacity;
      return;
    }
    pool.writers.erase(data);
  }
  std::free(data);
}

std::size_t BufferPool::idle_bytes() {
  const std::scoped_lock lock(state().mutex);
  return state().idle_bytes;
}

std::size_t BufferPool::idle_limit() {
  return kIdleLimit;
}

std::int64_t BufferPool::outstanding() {
  const std::scoped_lock lock(state().mutex);
  return state().outstanding;
}

void BufferPool::trim() {
  std::array<std::vector<char*>, kClasses> taken;
  {
    const std::scoped_lock lock(state().mutex);
    taken.swap(state().idle);
    state().idle_bytes = 0;
    for (const std::vector<char*>& idle : taken) {
      for (const char* const data : idle) state().writers.erase(data);
    }
  }
  for (const std::vector<char*>& idle : taken) {
    for (char* const data : idle) std::free(data);
  }
}

PooledBuffer::~PooledBuffer() {
  if (data_ != nullptr) BufferPool::give_back(data_, capacity_);
}

}  // namespace labfactory
