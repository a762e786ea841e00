// A loop over tasks on several threads; assembly, scoring and audits split their batches by it.
// Owner: the process keeps the threads; they start when first needed, and again after a fork.
// Threads: any may call, also from inside a task.
#pragma once

#include <cstdint>
#include <functional>

namespace labfactory {

// Calls work(task, worker) once for each task in [0, tasks), at most `threads` at a time. The caller is
// worker 0, the others are below `threads`; no two tasks run at once with the same worker. Tasks are handed
// out in order. When tasks throw, no new ones begin and the exception of the lowest task is thrown again
// here.
void parallel_for(int threads, std::int64_t tasks,
                  const std::function<void(std::int64_t task, int worker)>& work);

// Has so many of the process's threads call `task`, each once and as soon as it is free, and returns at once.
// Where no threads can be started nobody calls it: whoever waits for what it does must be able to do it. It
// must not throw.
void call_soon(int threads, const std::function<void()>& task);

// How many forks lie between this process and the one that first had threads: those of before are not here.
[[nodiscard]] std::uint64_t forks();

}  // namespace labfactory
