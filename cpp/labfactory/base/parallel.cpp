#include "labfactory/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is not C++
#endif

namespace labfactory {

namespace {

// More threads than this never help a machine that we know, and a typo should not start a million.
constexpr int kMostThreads = 256;

// Waking a thread takes longer than a small piece of work: who waits looks for some tens of microseconds
// before it sleeps.
constexpr int kLooks = 2000;

template <class Condition>
void look_for(const Condition& holds) {
  for (int look = 0; look < kLooks && !holds(); ++look) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
}

class Job {
 public:
  Job(int workers, std::int64_t tasks, const std::function<void(std::int64_t, int)>& work)
      : work_(work), tasks_(tasks), open_(workers - 1) {}

  // Takes one of the places for helpers; false when all are taken or the job is over.
  bool join(int* worker) {
    const std::scoped_lock lock(mutex_);
    if (open_ == 0 || next_ >= tasks_) return false;
    --open_;
    ++inside_;
    *worker = ++joined_;
    return true;
  }

  void leave() {
    const std::scoped_lock lock(mutex_);
    if (--inside_ == 0) left_.notify_all();
  }

  void run(int worker) {
    std::int64_t task = 0;
    while (take(&task)) {
      try {
        work_(task, worker);
      } catch (...) {
        fail(task, std::current_exception());
      }
    }
  }

  // Waits for the helpers, then throws what the lowest task threw.
  void finish() {
    {
      const std::scoped_lock lock(mutex_);
      open_ = 0;
    }
    look_for([this] { return inside_.load(std::memory_order_acquire) == 0; });
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return inside_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  bool take(std::int64_t* task) {
    const std::scoped_lock lock(mutex_);
    if (next_ >= tasks_) return false;
    *task = next_++;
    return true;
  }

  void fail(std::int64_t task, std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    next_ = tasks_;
    if (task >= failed_) return;
    failed_ = task;
    failure_ = std::move(failure);
  }

  const std::function<void(std::int64_t, int)>& work_;
  const std::int64_t tasks_;
  std::mutex mutex_;
  std::condition_variable left_;
  std::int64_t next_ = 0;
  std::int64_t failed_ = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr failure_;
  int open_;
  std::atomic<int> inside_ = 0;
  int joined_ = 0;
};

struct Pool {
  std::mutex mutex;
  std::condition_variable wanted;
  std::deque<std::function<void()>> calls;
  std::atomic<std::size_t> waiting = 0;  // calls, to be seen without the mutex
  int threads = 0;
};

// Never destroyed: threads wait in it until the process ends.
Pool* pool = nullptr;

std::atomic<std::uint64_t> forked = 0;

void help(Pool* own) {
  for (;;) {
    std::function<void()> call;
    look_for([own] { return own->waiting.load(std::memory_order_relaxed) != 0; });
    {
      std::unique_lock lock(own->mutex);
      own->wanted.wait(lock, [own] { return !own->calls.empty(); });
      call = std::move(own->calls.front());
      own->calls.pop_front();
      own->waiting = own->calls.size();
    }
    call();
  }
}

#if defined(__unix__) || defined(__APPLE__)
// A forked child has none of its parent's threads: it forgets the pool, whose mutex another thread may have
// held.
void forget_pool() {
  pool = new Pool;
  ++forked;
}

// Signals belong to the thread that runs Python.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};
#else
struct SignalsBlocked {};
#endif

Pool* the_pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    pool = new Pool;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, forget_pool);
#endif
  });
  return pool;
}

}  // namespace

void call_soon(int threads, const std::function<void()>& task) {
  const int helpers = std::min(threads, kMostThreads - 1);
  Pool* const own = the_pool();
  const std::scoped_lock lock(own->mutex);
  if (own->threads < helpers) {
    const SignalsBlocked blocked;
    try {
      for (; own->threads < helpers; ++own->threads) std::thread(help, own).detach();
    } catch (const std::system_error&) {
      // Fewer threads do the same work; the caller alone does all of it.
      if (own->threads == 0) return;
    }
  }
  for (int i = 0; i < helpers; ++i) own->calls.push_back(task);
  own->waiting = own->calls.size();
  own->wanted.notify_all();
}

std::uint64_t forks() {
  return forked;
}

void parallel_for(int threads, std::int64_t tasks, const std::function<void(std::int64_t, int)>& work) {
  const auto workers =
      static_cast<int>(std::clamp<std::int64_t>(tasks, 1, std::clamp(threads, 1, kMostThreads)));
  if (workers == 1) {
    for (std::int64_t task = 0; task < tasks; ++task) work(task, 0);
    return;
  }
  const auto job = std::make_shared<Job>(workers, tasks, work);
  call_soon(workers - 1, [job] {
    int worker = 0;
    if (!job->join(&worker)) return;
    job->run(worker);
    job->leave();
  });
  job->run(0);
  job->finish();
}

}  // namespace labfactory
