#include "labfactory/execute/evaluator.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/execute/block_machine.hpp"
#include "labfactory/execute/row_machine.hpp"

namespace labfactory {

namespace {

// Whether a double holds an integer exactly.
bool is_double(std::int64_t integer) {
  const auto rounded = static_cast<double>(integer);
  return rounded < 0x1p63 && static_cast<std::int64_t>(rounded) == integer;
}

// Collects the values of one type.
class Collector {
 public:
  Collector(LogicalType type, std::int64_t rows) : type_(type) {
    const auto n = static_cast<std::size_t>(rows);
    codes_.reserve(n);
    switch (type) {
      case LogicalType::boolean:
        booleans_.reserve(n);
        break;
      case LogicalType::integer:
        integers_.reserve(n);
        break;
      case LogicalType::floating:
        floats_.reserve(n);
        break;
      case LogicalType::text:
        offsets_.reserve(n + 1);
        break;
      default:
        throw Error(ErrorKind::usage, "expression_type",
                    "expected a boolean, integer, floating or text expression, found " +
                        std::string(kLogicalTypes[static_cast<std::size_t>(type)]));
    }
    offsets_.push_back(0);
  }

  void append(const Value& value, Outcome outcome) {
    if (outcome == Outcome::ok && value.kind == Kind::undefined) outcome = Outcome::undefined;
    bool is_valid = outcome == Outcome::ok && value.kind != Kind::none;
    if (is_valid && !fits(value)) {
      outcome = Outcome::type_error;
      is_valid = false;
    }
    if (is_valid && type_ == LogicalType::floating && value.kind == Kind::integer &&
        !is_double(value.payload.integer)) {
      outcome = Outcome::unsupported;
      is_valid = false;
    }
    store(is_valid ? value : Value::integer(0), is_valid);
    validity_.append(is_valid);
    codes_.push_back(static_cast<std::int8_t>(outcome));
    code_validity_.append(outcome != Outcome::ok);
  }

  Evaluated take() {
    static const std::vector<std::string> kNames(kOutcomes.begin(), kOutcomes.end());
    const ArrayPointer codes = make_dictionary_array(std::move(codes_), kNames, std::move(code_validity_));
    switch (type_) {
      case LogicalType::boolean:
        return {make_boolean_array(booleans_, std::move(validity_)), codes};
      case LogicalType::integer:
        return {make_array(std::move(integers_), std::move(validity_)), codes};
      case LogicalType::floating:
        return {make_array(std::move(floats_), std::move(validity_)), codes};
      default:
        return {make_text_array(std::move(offsets_), SharedBuffer(std::move(text_)), std::move(validity_)),
                codes};
    }
  }

 private:
  [[nodiscard]] bool fits(const Value& value) const {
    switch (type_) {
      case LogicalType::boolean:
        return value.kind == Kind::boolean;
      case LogicalType::integer:
        return value.kind == Kind::integer || value.kind == Kind::boolean;
      case LogicalType::floating:
        return value.is_number();
      default:
        return value.is_text();
    }
  }

  void store(const Value& value, bool is_valid) {
    switch (type_) {
      case LogicalType::boolean:
        booleans_.push_back(value.payload.integer != 0 ? 1 : 0);
        break;
      case LogicalType::integer:
        integers_.push_back(value.payload.integer);
        break;
      case LogicalType::floating:
        floats_.push_back(value.kind == Kind::floating ? value.payload.floating
                                                       : static_cast<double>(value.payload.integer));
        break;
      default:
        if (is_valid) {
          if (text_.size() + value.view().size() > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
            throw Error(ErrorKind::usage, "batch_too_large", "expected less than 2 GiB of text from a batch",
                        "evaluate smaller batches");
          }
          text_.insert(text_.end(), value.view().begin(), value.view().end());
        }
        offsets_.push_back(static_cast<std::int32_t>(text_.size()));
    }
  }

  LogicalType type_;
  std::vector<std::uint8_t> booleans_;
  std::vector<std::int64_t> integers_;
  std::vector<double> floats_;
  std::vector<std::int32_t> offsets_;
  std::vector<char> text_;
  Bitmap validity_;
  std::vector<std::int8_t> codes_;
  Bitmap code_validity_;
};

void run_rows(RowMachine& machine, std::int64_t first, std::int64_t last, Collector& collector) {
  for (std::int64_t row = first; row < last; ++row) {
    Value value;
    const RowEvent event = machine.evaluate(row, value);
    if (event.outcome == Outcome::suspended) {
      machine.collect(row);
      collector.append(Value::none(), Outcome::ok);
    } else {
      collector.append(value, event.outcome);
    }
  }
}

void run_blocks(const Program& program, const Binding& binding, Collector& collector) {
  BlockMachine machine(program, binding);
  std::optional<RowMachine> one_by_one;
  std::vector<Value> values(kBlockRows);
  std::vector<Outcome> outcomes(kBlockRows);
  for (std::int64_t first = 0; first < binding.rows(); first += static_cast<std::int64_t>(kBlockRows)) {
    const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(kBlockRows, binding.rows() - first));
    if (machine.evaluate(first, {values.data(), rows}, {outcomes.data(), rows})) {
      for (std::size_t i = 0; i < rows; ++i) collector.append(values[i], outcomes[i]);
      continue;
    }
    if (!one_by_one.has_value()) one_by_one.emplace(program, binding);
    run_rows(*one_by_one, first, first + static_cast<std::int64_t>(rows), collector);
  }
}

}  // namespace

Evaluated evaluate(const Program& program, const std::shared_ptr<const Batch>& batch, LogicalType type,
                   Machine machine, Memo* memo) {
  const Binding binding(program, batch, memo);
  Collector collector(type, binding.rows());
  if (machine == Machine::block && is_expression(program)) {
    run_blocks(program, binding, collector);
  } else {
    RowMachine rows(program, binding);
    run_rows(rows, 0, binding.rows(), collector);
  }
  return collector.take();
}

}  // namespace labfactory
