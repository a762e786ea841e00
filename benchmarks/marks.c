// Starts and stops callgrind's count from within, and writes it under a name; does nothing outside of valgrind.
#include <valgrind/callgrind.h>

void start_count(void) { CALLGRIND_START_INSTRUMENTATION; }
void stop_count(void) { CALLGRIND_STOP_INSTRUMENTATION; }
void write_count(const char* name) { CALLGRIND_DUMP_STATS_AT(name); }
