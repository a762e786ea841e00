// What functions gave for the arguments that rows called them with. A row that asks for what is not here is
// suspended: the request is kept, the functions are called once for all that was asked, and the row runs
// again. Owner: requests, results and what these borrow from. Threads: the rows of one batch ask from any
// number of threads; results are kept while no row runs.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "labfactory/values/constant_store.hpp"
#include "labfactory/values/outcome.hpp"

namespace labfactory {

struct Scope;

// A call as bytes, the same for the same function and arguments: the function's number in 4 bytes, then each
// argument as its tag and content.
enum class CallTag : char {
  none = 'n',
  no = 'f',
  yes = 't',
  integer = 'i',    // 8 bytes
  floating = 'd',   // 8 bytes
  text = 's',       // 4 bytes of length, bytes
  markup = 'm',     // as text
  date = 'D',       // 8 bytes: days since 1970-01-01
  timestamp = 'T',  // 8 bytes: microseconds since 1970-01-01
  zoned = 'Z',      // as timestamp, 1 byte of fold, the zone's name as text
  time = 'h',       // 8 bytes: microseconds since midnight
  duration = 'p',   // 8 bytes: microseconds
  decimal = 'e',    // as text
  list = 'l',       // 4 bytes of length, items
  tuple = 'u',      // as list
  dict = 'k',       // 4 bytes of length, each key and its value
};

class Memo {
 public:
  // The result of a call; suspended when it is not known yet and was asked for now.
  [[nodiscard]] Outcome call(const Scope& scope, std::int32_t function, const Value* arguments,
                             std::int32_t count, Value& out);

  // What was asked for since, each once, in the order of its bytes: the same whatever thread asked first.
  [[nodiscard]] std::vector<std::string> take_requests();

  // Keeps what a call gave, or that it failed.
  void keep(const std::string& call, const Value& result, Outcome outcome) {
    known_[call] = {result, outcome};
  }
  // What results borrow from.
  [[nodiscard]] ConstantStore& store() { return *store_; }

  // From now on what is not known is a row error: a row asked too often.
  void close() { is_closed_ = true; }

  // Before a batch: forgets what is known where it grew large, and opens again.
  void begin();

 private:
  struct Known {
    Value result;
    Outcome outcome = Outcome::ok;
  };

  std::unordered_map<std::string, Known> known_;
  std::unique_ptr<ConstantStore> store_ = std::make_unique<ConstantStore>();
  std::mutex asking_;
  std::unordered_set<std::string> requests_;
  bool is_closed_ = false;
};

}  // namespace labfactory
