#include "labfactory/arrow/stream.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace labfactory {

namespace {

struct ExportedStream {
  std::shared_ptr<ArraySource> source;
  std::string error;
};

// An exception must not cross into the consumer: it becomes a number of errno.h and a text.
template <class Call>
int guarded(ArrowArrayStream* stream, const Call& call) {
  auto& exported = *static_cast<ExportedStream*>(stream->private_data);
  try {
    call(*exported.source);
    return 0;
  } catch (const std::bad_alloc&) {
    exported.error = "out of memory";
    return ENOMEM;
  } catch (const std::exception& problem) {
    exported.error = problem.what();
    return EIO;
  }
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
  return guarded(stream, [&](ArraySource& source) { export_schema(*source.example(), out); });
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) {
  return guarded(stream, [&](ArraySource& source) {
    const ArrayPointer array = source.next();
    *out = {};
    if (array) export_array(array, out);
  });
}

const char* get_last_error(ArrowArrayStream* stream) {
  return static_cast<ExportedStream*>(stream->private_data)->error.c_str();
}

void release(ArrowArrayStream* stream) {
  delete static_cast<ExportedStream*>(stream->private_data);
  stream->release = nullptr;
}

}  // namespace

void export_stream(std::shared_ptr<ArraySource> source, ArrowArrayStream* out) {
  auto exported = std::make_unique<ExportedStream>();
  exported->source = std::move(source);
  *out = {get_schema, get_next, get_last_error, release, exported.release()};
}

}  // namespace labfactory
