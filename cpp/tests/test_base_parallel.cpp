#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "labfactory/base/parallel.hpp"

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace labfactory;

namespace {

std::int64_t sum_of(int threads, std::int64_t tasks) {
  std::atomic<std::int64_t> sum = 0;
  parallel_for(threads, tasks, [&](std::int64_t task, int) { sum += task; });
  return sum;
}

}  // namespace

TEST_CASE("every task runs once, whatever the number of threads") {
  for (const int threads : {-1, 0, 1, 2, 3, 8}) {
    std::vector<std::atomic<int>> runs(1000);
    parallel_for(threads, 1000, [&](std::int64_t task, int) { ++runs[static_cast<std::size_t>(task)]; });
    for (const auto& count : runs) CHECK(count == 1);
  }
  CHECK(sum_of(4, 0) == 0);
}

TEST_CASE("workers are below the number of threads and never run two tasks at once") {
  std::vector<std::atomic<int>> busy(3);
  std::atomic<bool> clash = false;
  parallel_for(3, 300, [&](std::int64_t, int worker) {
    if (++busy.at(static_cast<std::size_t>(worker)) != 1) clash = true;
    std::this_thread::yield();
    --busy.at(static_cast<std::size_t>(worker));
  });
  CHECK_FALSE(clash);
}

TEST_CASE("the exception of the lowest task is thrown again") {
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::string thrown;
    try {
      parallel_for(4, 100, [](std::int64_t task, int) {
        if (task >= 7) throw std::runtime_error(std::to_string(task));
      });
    } catch (const std::runtime_error& error) {
      thrown = error.what();
    }
    CHECK(thrown == "7");
  }
}

TEST_CASE("a task may start a loop of its own") {
  std::atomic<std::int64_t> sum = 0;
  parallel_for(3, 8, [&](std::int64_t, int) { sum += sum_of(3, 10); });
  CHECK(sum == 8 * 45);
}

TEST_CASE("loops of several threads share the helpers") {
  std::vector<std::thread> callers;
  std::atomic<std::int64_t> sum = 0;
  for (int i = 0; i < 4; ++i) callers.emplace_back([&] { sum += sum_of(4, 500); });
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 4 * (499 * 500 / 2));
}

TEST_CASE("what is called soon runs on other threads, each call once") {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::thread::id> ran;
  const auto note = [&] {
    const std::scoped_lock lock(mutex);
    ran.push_back(std::this_thread::get_id());
    changed.notify_one();
  };
  call_soon(0, note);
  call_soon(2, note);
  call_soon(1, note);
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ran.size() == 3; });
  for (const std::thread::id id : ran) CHECK(id != std::this_thread::get_id());
}

#if defined(__unix__)
TEST_CASE("threads start again after a fork") {
  CHECK(sum_of(3, 100) == 4950);
  const std::uint64_t before = forks();
  const pid_t child = fork();
  if (child == 0) _exit(sum_of(3, 100) == 4950 && forks() == before + 1 ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(forks() == before);
}
#endif
