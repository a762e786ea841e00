// The one exception of the core: what went wrong, by code, with a hint; bindings turn it into the Python
// tree. Owner: strings inside. Threads: a value.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace labfactory {

// Names the Python exception: LabfactoryError's subclass of the same word.
enum class ErrorKind : std::uint8_t { usage, compile, content, source, assembly, statistics, selection, run };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), kind_(kind), code_(std::move(code)), hint_(std::move(hint)) {}

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] const std::string& code() const { return code_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  ErrorKind kind_;
  std::string code_;
  std::string hint_;
};

}  // namespace labfactory
