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

}  // namespace labfactory
