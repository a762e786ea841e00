// Storage that values borrow from for as long as a program or a memo lives: constants and results of
// functions. Owner: texts and items. Threads: one writer; what was kept may be read by any.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/values/decimal.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory {

struct ConstantStore {
  // A deque never moves what it holds.
  std::deque<std::string> texts;
  std::deque<std::vector<Value>> items;
  std::unique_ptr<Arena> numbers = std::make_unique<Arena>();

  [[nodiscard]] Value keep_text(std::string text, bool markup = false) {
    return Value::text(texts.emplace_back(std::move(text)), markup);
  }
  [[nodiscard]] Value keep_list(std::vector<Value> values, Kind kind) {
    const std::vector<Value>& kept = items.emplace_back(std::move(values));
    return Value::list(kept.data(), static_cast<std::uint32_t>(kept.size()), kind);
  }
  // Keys and values in turn, no key twice.
  [[nodiscard]] Value keep_dict(std::vector<Value> pairs) {
    const std::vector<Value>& kept = items.emplace_back(std::move(pairs));
    return Value::dict(kept.data(), static_cast<std::uint32_t>(kept.size() / 2));
  }
  [[nodiscard]] Value keep_decimal(const Decimal& decimal) { return decimal_value(decimal, *numbers); }
};

}  // namespace labfactory
