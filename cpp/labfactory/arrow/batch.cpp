#include "labfactory/arrow/batch.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory {

namespace {

// Rows of a column that one thread checks at a time: half a mebibyte of the widest offsets.
constexpr std::int64_t kCheckedRows = std::int64_t{64} << 10;

struct Share {
  const Column* column;
  std::int64_t first;
  std::int64_t count;
};

// Of texts some rows can be checked without the others; of what has children and dictionaries only all.
std::int64_t rows_at_once(const Column& column) {
  const bool is_flat = is_text(column.layout()) || is_binary(column.layout());
  return is_flat ? kCheckedRows : column.length();
}

void check(const Column& root, int threads) {
  if (threads <= 1 || root.length() <= kCheckedRows || root.layout() != Layout::structure || root.has_nulls())
    return root.check_values(0, root.length());
  // Column by column, from the first row on: the lowest task that throws says what one thread would say.
  std::vector<Share> shares;
  for (const Column& column : root.children()) {
    const std::int64_t step = rows_at_once(column);
    for (std::int64_t first = 0; first < column.length(); first += step)
      shares.push_back({&column, first, std::min(step, column.length() - first)});
  }
  parallel_for(threads, static_cast<std::int64_t>(shares.size()), [&](std::int64_t task, int) {
    const Share& share = shares[static_cast<std::size_t>(task)];
    share.column->check_values(share.first, share.count);
  });
}

}  // namespace

Batch::Batch(UniqueSchema schema, UniqueArray array, int threads)
    : type_(parse_schema(*schema)), array_(std::move(array)) {
  root_ = std::make_unique<Column>(type_, *array_, 0, array_->length);
  check(*root_, threads);
  if (type_.layout != Layout::structure) return;
  for (const DataType& child : type_.children) names_.push_back(child.name);
}

std::int64_t Batch::index(std::string_view name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  if (at == names_.end()) return -1;
  if (std::find(at + 1, names_.end(), name) != names_.end())
    throw Error(ErrorKind::source, "duplicate_column", "two columns are named '" + std::string(name) + "'",
                "Rename one of them.");
  return at - names_.begin();
}

const Column* Batch::find(std::string_view name) const {
  const std::int64_t at = index(name);
  return at < 0 ? nullptr : &column(static_cast<std::size_t>(at));
}

const Column& Batch::column(std::string_view name) const {
  if (const Column* const found = find(name)) return *found;
  std::string listed;
  for (const std::string& known : names_) listed += (listed.empty() ? "" : ", ") + known;
  throw Error(ErrorKind::source, "missing_column",
              "expected a column '" + std::string(name) + "', found none", "The batch has " + listed + ".");
}

std::shared_ptr<const Batch> import_array(ArrowSchema* schema, ArrowArray* array, int threads) {
  UniqueSchema owned_schema(schema);
  UniqueArray owned_array(array);
  if (!owned_schema || !owned_array)
    throw Error(ErrorKind::source, "arrow_malformed", "the Arrow structs were consumed before");
  return std::make_shared<const Batch>(std::move(owned_schema), std::move(owned_array), threads);
}

std::shared_ptr<const Batch> import_batch(ArrowSchema* schema, ArrowArray* array, int threads) {
  std::shared_ptr<const Batch> batch = import_array(schema, array, threads);
  const Column& root = batch->root();
  if (root.layout() != Layout::structure)
    throw Error(ErrorKind::source, "arrow_malformed",
                "expected a record batch, found an array of " + type_name(root.type()));
  for (std::int64_t i = 0; root.has_nulls() && i < root.length(); ++i) {
    if (!root.is_valid(i))
      throw Error(ErrorKind::source, "arrow_malformed",
                  "expected a record batch, found a struct array that is null at row " + std::to_string(i));
  }
  return batch;
}

}  // namespace labfactory
