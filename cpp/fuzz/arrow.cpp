// Fuzz target: arrays as a faulty producer would hand them out. Structure, counts, offsets and indices are
// arbitrary; only what the C data interface cannot tell, the sizes of buffers, is true.
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/base/error.hpp"

namespace labfactory::fuzz {
namespace {

constexpr std::size_t kBufferBytes = 1 << 13;
constexpr int kMostDepth = 3;
constexpr std::array kFormats = {
    "n",    "b",    "c",   "C",   "s",       "S",     "i",   "I",      "l",       "L",        "e",
    "f",    "g",    "u",   "U",   "vu",      "z",     "Z",   "vz",     "w:0",     "w:3",      "w:16",
    "tdD",  "tdm",  "tts", "ttn", "tsu:UTC", "tsn:",  "tDs", "d:10,2", "d:38,-3", "+l",       "+L",
    "+w:2", "+w:0", "+s",  "+m",  "+vl",     "+us:0", "?",   "d:99,1", "w:-1",    "+w:99999", ""};

void forget(ArrowSchema* schema) {
  schema->release = nullptr;
}
void forget(ArrowArray* array) {
  array->release = nullptr;
}

// Everything that the structs of one input point to.
struct Storage {
  std::deque<std::vector<std::int64_t>> buffers;
  std::deque<std::vector<const void*>> pointers;
  std::deque<ArrowSchema> schemas;
  std::deque<ArrowArray> arrays;
  std::deque<std::vector<ArrowSchema*>> schema_lists;
  std::deque<std::vector<ArrowArray*>> array_lists;
  std::deque<std::string> names;
};

bool is_wide(std::string_view format) {
  return format == "U" || format == "Z" || format == "+L";
}
bool is_view(std::string_view format) {
  return format == "vu" || format == "vz";
}

class Producer {
 public:
  Producer(Input& input, Storage& storage) : input_(input), storage_(storage) {}

  void make(int depth, ArrowSchema& schema, ArrowArray& array) {
    const std::string_view format = depth == 0 ? "+s" : kFormats[input_.byte() % kFormats.size()];
    schema = {};
    array = {};
    schema.format = storage_.names.emplace_back(format).c_str();
    schema.name = input_.one_in(9) ? nullptr : storage_.names.emplace_back(input_.text(3)).c_str();
    schema.flags = input_.below(8);
    schema.release = forget;
    array.length = input_.one_in(20) ? -1 : input_.below(40);
    array.offset = input_.one_in(20) ? -2 : input_.below(6);
    array.null_count = input_.below(5) - 2;
    array.release = forget;
    make_buffers(format, array);
    make_children(depth, format, schema, array);
    if (depth < kMostDepth && input_.one_in(8)) {
      ArrowSchema& values = storage_.schemas.emplace_back();
      ArrowArray& entries = storage_.arrays.emplace_back();
      make(depth + 1, values, entries);
      schema.dictionary = &values;
      array.dictionary = input_.one_in(8) ? nullptr : &entries;
    }
  }

 private:
  static std::int64_t usual_buffers(std::string_view format) {
    if (format == "n") return 0;
    if (format == "+s" || format.substr(0, 3) == "+w:") return 1;
    if (is_view(format)) return 4;
    return format == "u" || format == "z" || is_wide(format) ? (format == "+L" ? 2 : 3) : 2;
  }

  // Small numbers everywhere, so that offsets and indices stay inside the buffers or are told to leave them.
  const void* numbers(bool is_wide_buffer) {
    if (input_.one_in(16)) return nullptr;
    std::vector<std::int64_t>& buffer = storage_.buffers.emplace_back(kBufferBytes / 8);
    auto* const narrow = reinterpret_cast<std::int32_t*>(buffer.data());
    std::int32_t running = 0;
    const bool grows = !input_.one_in(4);
    for (std::size_t i = 0; i < 96; ++i) {
      const std::int32_t step = input_.byte() % 12;
      running = grows ? running + step : step - 2;
      if (is_wide_buffer) {
        buffer[i] = running;
      } else {
        narrow[i] = running;
      }
    }
    return buffer.data();
  }

  void make_buffers(std::string_view format, ArrowArray& array) {
    std::vector<const void*>& pointers = storage_.pointers.emplace_back();
    const std::int64_t usual = usual_buffers(format);
    array.n_buffers = input_.one_in(12) ? input_.below(6) : usual;
    for (std::int64_t i = 0; i < std::max<std::int64_t>(array.n_buffers, 6); ++i) {
      pointers.push_back(numbers(is_wide(format)));
    }
    // The sizes of the buffers that views point into stand in the last one, and are true.
    if (is_view(format) && array.n_buffers >= 3) {
      std::vector<std::int64_t>& sizes = storage_.buffers.emplace_back(8, 0);
      for (std::int64_t i = 2; i + 1 < array.n_buffers; ++i) {
        const bool is_there = pointers[static_cast<std::size_t>(i)] != nullptr;
        sizes[static_cast<std::size_t>(i - 2)] = is_there ? static_cast<std::int64_t>(kBufferBytes) : 0;
      }
      pointers[static_cast<std::size_t>(array.n_buffers - 1)] = sizes.data();
    }
    array.buffers = input_.one_in(30) ? nullptr : pointers.data();
  }

  void make_children(int depth, std::string_view format, ArrowSchema& schema, ArrowArray& array) {
    if (depth == kMostDepth) return;
    const bool nests = !format.empty() && format[0] == '+';
    std::int64_t count = !nests ? 0 : format == "+s" ? 1 + input_.below(3) : 1;
    if (input_.one_in(16)) count = input_.below(3);
    auto& schemas = storage_.schema_lists.emplace_back();
    auto& arrays = storage_.array_lists.emplace_back();
    for (std::int64_t i = 0; i < count; ++i) {
      ArrowSchema& child_schema = storage_.schemas.emplace_back();
      ArrowArray& child_array = storage_.arrays.emplace_back();
      make(depth + 1, child_schema, child_array);
      schemas.push_back(input_.one_in(40) ? nullptr : &child_schema);
      arrays.push_back(input_.one_in(40) ? nullptr : &child_array);
    }
    schema.n_children = count;
    schema.children = schemas.data();
    array.n_children = input_.one_in(16) ? count - 1 : count;
    array.children = arrays.data();
  }

  Input& input_;
  Storage& storage_;
};

std::uint64_t read_rows(const Column& column) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < column.length(); ++i) {
    if (!column.is_valid(i)) continue;
    for (const char c : column.text(i)) sum += static_cast<unsigned char>(c);
    sum += static_cast<std::uint64_t>(column.floating(i) != 0.0);
    switch (column.value_layout()) {
      case Layout::boolean:
        sum += column.boolean(i) ? 1U : 0U;
        break;
      case Layout::decimal128:
        sum += column.decimal(i).low;
        break;
      case Layout::list:
      case Layout::large_list:
      case Layout::fixed_list:
      case Layout::map:
        sum += static_cast<std::uint64_t>(column.list_range(i).size());
        break;
      default:
        sum += static_cast<std::uint64_t>(column.integer(i));
        break;
    }
  }
  for (std::size_t i = 0; i < column.child_count(); ++i) {
    try {
      sum += read_rows(column.child(i));
    } catch (const Error& error) {
      expect(error.code() == "arrow_format");
    }
  }
  return sum;
}

}  // namespace
}  // namespace labfactory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace labfactory;
  using namespace labfactory::fuzz;
  Input input(data, size);
  Storage storage;
  ArrowSchema schema;
  ArrowArray array;
  Producer(input, storage).make(0, schema, array);
  try {
    const std::shared_ptr<const Batch> batch = import_batch(&schema, &array);
    for (std::size_t i = 0; i < batch->names().size(); ++i) {
      try {
        static_cast<void>(read_rows(batch->column(i)));
      } catch (const Error& error) {
        expect(error.kind() == ErrorKind::source);
      }
    }
  } catch (const Error& error) {
    expect(error.kind() == ErrorKind::source);
  }
  return 0;
}
