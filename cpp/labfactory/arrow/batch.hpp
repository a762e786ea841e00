// What was imported from one Arrow array, and keeps it alive.
// Owner: holds the producer's array; its columns, and every text they give out, borrow from it.
// Threads: immutable after import; any number of readers. The producer's release runs on the last holder's
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/arrow/owner.hpp"
#include "labfactory/arrow/schema.hpp"

namespace labfactory {

// The root column, and for record batches the named columns.
class Batch {
 public:
  // Checks what it holds on so many threads.
  Batch(UniqueSchema schema, UniqueArray array, int threads = 1);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  [[nodiscard]] std::int64_t length() const { return root_->length(); }
  [[nodiscard]] const Column& root() const { return *root_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Position of a column, or -1; Error(source, "duplicate_column") when two columns have that name.
  [[nodiscard]] std::int64_t index(std::string_view name) const;
  // By name; Error(source, "missing_column") when there is none, "arrow_format" when it cannot be read.
  [[nodiscard]] const Column& column(std::string_view name) const;
  [[nodiscard]] const Column& column(std::size_t index) const { return root_->child(index); }
  // By name; null when there is none.
  [[nodiscard]] const Column* find(std::string_view name) const;

 private:
  DataType type_;
  UniqueArray array_;
  std::unique_ptr<Column> root_;
  std::vector<std::string> names_;
};

// Takes over both structs (the schema is read and released) and checks their structure: Error(source,
// "arrow_malformed"), on so many threads. import_batch wants a record batch: a struct array without nulls of
// its own.
[[nodiscard]] std::shared_ptr<const Batch> import_batch(ArrowSchema* schema, ArrowArray* array,
                                                        int threads = 1);
[[nodiscard]] std::shared_ptr<const Batch> import_array(ArrowSchema* schema, ArrowArray* array,
                                                        int threads = 1);

}  // namespace labfactory
