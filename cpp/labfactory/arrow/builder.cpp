#include "labfactory/arrow/builder.hpp"

#include <cassert>
#include <limits>
#include <stdexcept>

namespace labfactory {

namespace {

// What an exported ArrowArray points to; dies in its release.
struct ExportedArray {
  ArrayPointer array;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> child_pointers;
  ArrowArray dictionary{};
};

struct ExportedSchema {
  std::string format;
  std::string name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> child_pointers;
  ArrowSchema dictionary{};
};

// A consumer may have moved a child out, which nulls its release and leaves it to him.
template <class Struct, class Exported>
void release(Struct* out) {
  auto* const exported = static_cast<Exported*>(out->private_data);
  for (Struct& child : exported->children) {
    if (child.release != nullptr) child.release(&child);
  }
  if (exported->dictionary.release != nullptr) exported->dictionary.release(&exported->dictionary);
  out->release = nullptr;
  delete exported;
}

void export_schema(const ArrayData& array, ArrowSchema* out, std::string_view name, bool is_nullable) {
  auto exported = std::make_unique<ExportedSchema>();
  exported->format = array.format;
  exported->name = name;
  exported->children.resize(array.children.size());
  for (std::size_t i = 0; i < array.children.size(); ++i) {
    const Field& field = array.children[i];
    export_schema(*field.array, &exported->children[i], field.name, field.is_nullable);
    exported->child_pointers.push_back(&exported->children[i]);
  }
  *out = {};
  if (array.dictionary) {
    export_schema(*array.dictionary, &exported->dictionary, {}, true);
    out->dictionary = &exported->dictionary;
  }
  out->format = exported->format.c_str();
  out->name = exported->name.c_str();
  out->flags = is_nullable ? ARROW_FLAG_NULLABLE : 0;
  out->n_children = static_cast<std::int64_t>(exported->children.size());
  out->children = exported->child_pointers.data();
  out->release = release<ArrowSchema, ExportedSchema>;
  out->private_data = exported.release();
}

ArrayPointer fixed_width(const char* format, SharedBuffer values, std::int64_t length, Bitmap validity) {
  assert(validity.length() == 0 || validity.length() == length);
  ArrayData array;
  array.format = format;
  array.length = length;
  array.null_count = validity.null_count();
  array.buffers = {validity.take(), std::move(values)};
  return std::make_shared<const ArrayData>(std::move(array));
}

template <class T>
ArrayPointer fixed_width(const char* format, std::vector<T> values, Bitmap validity) {
  const auto length = static_cast<std::int64_t>(values.size());
  return fixed_width(format, SharedBuffer(std::move(values)), length, std::move(validity));
}

template <class Offset>
ArrayPointer text_array(const char* format, std::vector<Offset> offsets, SharedBuffer bytes,
                        Bitmap validity) {
  assert(!offsets.empty());
  ArrayData array;
  array.format = format;
  array.length = static_cast<std::int64_t>(offsets.size()) - 1;
  array.null_count = validity.null_count();
  array.buffers = {validity.take(), std::move(offsets), std::move(bytes)};
  return std::make_shared<const ArrayData>(std::move(array));
}

template <class Index>
ArrayPointer dictionary_array(std::vector<Index> indices, std::span<const std::string> entries,
                              Bitmap validity) {
  std::vector<std::optional<std::string_view>> texts(entries.begin(), entries.end());
  ArrayData array = *make_array(std::move(indices), std::move(validity));
  array.dictionary = make_text_array(texts);
  return std::make_shared<const ArrayData>(std::move(array));
}

}  // namespace

void export_schema(const ArrayData& array, ArrowSchema* out, std::string_view name) {
  export_schema(array, out, name, true);
}

void export_array(const ArrayPointer& array, ArrowArray* out) {
  auto exported = std::make_unique<ExportedArray>();
  exported->array = array;
  for (const SharedBuffer& buffer : array->buffers) exported->buffers.push_back(buffer.data);
  exported->children.resize(array->children.size());
  for (std::size_t i = 0; i < array->children.size(); ++i) {
    export_array(array->children[i].array, &exported->children[i]);
    exported->child_pointers.push_back(&exported->children[i]);
  }
  *out = {};
  if (array->dictionary) {
    export_array(array->dictionary, &exported->dictionary);
    out->dictionary = &exported->dictionary;
  }
  out->length = array->length;
  out->null_count = array->null_count;
  out->n_buffers = static_cast<std::int64_t>(exported->buffers.size());
  out->buffers = exported->buffers.data();
  out->n_children = static_cast<std::int64_t>(exported->children.size());
  out->children = exported->child_pointers.data();
  out->release = release<ArrowArray, ExportedArray>;
  out->private_data = exported.release();
}

void Bitmap::begin() {
  // All rows so far are valid; the bits after them stay 0 until they are appended.
  bits_.assign(static_cast<std::size_t>(length_ / 8 + 1), 0xff);
  bits_.back() = static_cast<std::uint8_t>((1 << (length_ & 7)) - 1);
  if ((length_ & 7) == 0 && length_ > 0) bits_.pop_back();
}

SharedBuffer Bitmap::take() {
  SharedBuffer taken;
  if (null_count_ > 0) taken = SharedBuffer(std::move(bits_));
  *this = {};
  return taken;
}

ArrayPointer make_array(std::vector<std::int8_t> values, Bitmap validity) {
  return fixed_width("c", std::move(values), std::move(validity));
}
ArrayPointer make_array(std::vector<std::int32_t> values, Bitmap validity) {
  return fixed_width("i", std::move(values), std::move(validity));
}
ArrayPointer make_array(std::vector<std::int64_t> values, Bitmap validity) {
  return fixed_width("l", std::move(values), std::move(validity));
}
ArrayPointer make_array(std::vector<std::uint64_t> values, Bitmap validity) {
  return fixed_width("L", std::move(values), std::move(validity));
}
ArrayPointer make_array(std::vector<float> values, Bitmap validity) {
  return fixed_width("f", std::move(values), std::move(validity));
}
ArrayPointer make_array(std::vector<double> values, Bitmap validity) {
  return fixed_width("g", std::move(values), std::move(validity));
}

template <>
ArrayPointer make_array<std::int32_t>(PooledBuffer values, std::int64_t length, Bitmap validity) {
  return fixed_width("i", std::move(values), length, std::move(validity));
}
template <>
ArrayPointer make_array<std::uint64_t>(PooledBuffer values, std::int64_t length, Bitmap validity) {
  return fixed_width("L", std::move(values), length, std::move(validity));
}
template <>
ArrayPointer make_array<double>(PooledBuffer values, std::int64_t length, Bitmap validity) {
  return fixed_width("g", std::move(values), length, std::move(validity));
}

ArrayPointer make_boolean_array(std::span<const std::uint8_t> values, Bitmap validity) {
  std::vector<std::uint8_t> bits((values.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1 << (i % 8));
  }
  ArrayData array;
  array.format = "b";
  array.length = static_cast<std::int64_t>(values.size());
  array.null_count = validity.null_count();
  array.buffers = {validity.take(), std::move(bits)};
  return std::make_shared<const ArrayData>(std::move(array));
}

ArrayPointer make_text_array(std::vector<std::int32_t> offsets, SharedBuffer bytes, Bitmap validity) {
  return text_array("u", std::move(offsets), std::move(bytes), std::move(validity));
}
ArrayPointer make_large_text_array(std::vector<std::int64_t> offsets, SharedBuffer bytes, Bitmap validity) {
  return text_array("U", std::move(offsets), std::move(bytes), std::move(validity));
}

ArrayPointer make_text_array(std::span<const std::optional<std::string_view>> texts) {
  std::size_t size = 0;
  for (const auto& text : texts) size += text.value_or("").size();
  if (size > std::numeric_limits<std::int32_t>::max()) throw std::length_error("more than 2 GiB of text");
  std::vector<std::int32_t> offsets = {0};
  offsets.reserve(texts.size() + 1);
  std::vector<char> bytes;
  bytes.reserve(size);
  Bitmap validity;
  for (const auto& text : texts) {
    if (text) bytes.insert(bytes.end(), text->begin(), text->end());
    offsets.push_back(static_cast<std::int32_t>(bytes.size()));
    validity.append(text.has_value());
  }
  return make_text_array(std::move(offsets), std::move(bytes), std::move(validity));
}

ArrayPointer make_dictionary_array(std::vector<std::int8_t> indices, std::span<const std::string> entries,
                                   Bitmap validity) {
  return dictionary_array(std::move(indices), entries, std::move(validity));
}
ArrayPointer make_dictionary_array(std::vector<std::int32_t> indices, std::span<const std::string> entries,
                                   Bitmap validity) {
  return dictionary_array(std::move(indices), entries, std::move(validity));
}

ArrayPointer make_struct_array(std::int64_t length, std::vector<Field> fields, Bitmap validity) {
  ArrayData array;
  array.format = "+s";
  array.length = length;
  array.null_count = validity.null_count();
  array.buffers = {validity.take()};
  array.children = std::move(fields);
  return std::make_shared<const ArrayData>(std::move(array));
}

}  // namespace labfactory
