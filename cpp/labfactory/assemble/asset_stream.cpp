#include "labfactory/assemble/asset_stream.hpp"

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "labfactory/assemble/chunk.hpp"
#include "labfactory/assemble/chunk_writer.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory {

namespace {

// Text of a piece: what stays in the processor's caches is written again before it goes to memory.
constexpr std::int64_t kPieceBytes = std::int64_t{2} << 20;
// Near the end of a batch pieces become smaller, so that all threads end together, but never than that.
constexpr std::int64_t kLeastPieceBytes = std::int64_t{256} << 10;
constexpr std::int64_t kLeastPieceRows = 64;
constexpr std::int64_t kMostLeastRows = 4096;
// Until a piece has shown what a row takes, few rows are memory enough.
constexpr std::int64_t kFirstRows = 512;
// With fewer, whoever is late with the oldest piece finds no room for another when he is done.
constexpr std::int64_t kPiecesAThread = 2;
constexpr std::int64_t kMostPieces = 512;

// Down by a sixteenth at most: readers keep what is the same in all chunks of as many rows.
std::int64_t rounded(std::int64_t rows) {
  const std::int64_t step = std::max<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(rows)) / 16, 1);
  return rows - rows % step;
}

}  // namespace

// One run over the rows behind a first one: pieces are taken in order by whoever is free, at most so many
// before the one that is next to go out.
class AssetStream::Making : public std::enable_shared_from_this<Making> {
 public:
  Making(std::shared_ptr<const Assembler> assembler, std::shared_ptr<const Binding> binding,
         const AssembleOptions& options, std::int64_t first)
      : assembler_(std::move(assembler)),
        binding_(std::move(binding)),
        batch_bytes_(options.batch_bytes),
        threads_(options.threads),
        next_row_(first),
        pieces_(options.threads == 1
                    ? std::size_t{1}
                    : static_cast<std::size_t>(std::min(kPiecesAThread * options.threads, kMostPieces))) {}

  // Has helpers begin before the first chunk is asked for, where there is work for more than one thread.
  void start() {
    const std::scoped_lock lock(mutex_);
    if (next_row_ + rows() < binding_->rows()) call_helpers();
  }

  Assets next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      Piece& head = piece(given_);
      if (given_ < taken_ && head.is_made) return give(head);
      if (Piece* const own = take()) {
        call_helpers();
        make(*own, lock);
      } else if (given_ == taken_) {
        return {};
      } else {
        made_.wait(lock, [&] { return head.is_made; });
      }
    }
  }

  void stop() {
    std::unique_lock lock(mutex_);
    is_stopped_ = true;
    left_.wait(lock, [this] { return inside_ == 0; });
    // A helper who was called and has not come yet holds this, but nothing else.
    pieces_.clear();
    idle_.clear();
    binding_.reset();
  }

 private:
  struct Piece {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::vector<Assets> chunks;
    std::size_t given = 0;
    std::exception_ptr failure;
    bool is_made = false;
  };

  Piece& piece(std::int64_t number) { return pieces_[static_cast<std::size_t>(number) % pieces_.size()]; }

  // With the mutex, as all that follow.
  bool may_take() const {
    return !is_stopped_ && next_row_ < binding_->rows() &&
           taken_ - given_ < static_cast<std::int64_t>(pieces_.size());
  }

  Piece* take() {
    if (!may_take()) return nullptr;
    Piece& taken = piece(taken_++);
    taken.first = next_row_;
    next_row_ += rows();
    taken.last = next_row_;
    taken.is_made = false;
    return &taken;
  }

  // Of the next piece.
  [[nodiscard]] std::int64_t rows() const {
    const std::int64_t row_bytes = assembler_->row_bytes();
    // A sixteenth less than a chunk holds, for the usual spread.
    std::int64_t most = std::min(kPieceBytes, batch_bytes_) / 16 * 15 / row_bytes;
    if (!assembler_->knows_row_bytes()) most = std::min(most, kFirstRows);
    const std::int64_t least = std::clamp(kLeastPieceBytes / row_bytes, kLeastPieceRows, kMostLeastRows);
    const std::int64_t left = binding_->rows() - next_row_;
    const std::int64_t share = threads_ == 1 ? left : left / (std::int64_t{2} * threads_);
    const std::int64_t wanted =
        std::clamp(std::min(most, std::max(share, least)), std::int64_t{1}, kMostChunkRows);
    return std::min(left, rounded(wanted));
  }

  // Without the mutex while it writes.
  void make(Piece& piece, std::unique_lock<std::mutex>& lock) {
    std::unique_ptr<ChunkWriter> writer;
    if (!idle_.empty()) {
      writer = std::move(idle_.back());
      idle_.pop_back();
    }
    lock.unlock();
    piece.given = 0;
    piece.failure = nullptr;
    try {
      if (!writer)
        writer = std::make_unique<ChunkWriter>(*assembler_, *binding_, batch_bytes_, binding_->rows());
      piece.chunks = writer->write(piece.first, piece.last);
    } catch (...) {
      piece.failure = std::current_exception();
    }
    lock.lock();
    piece.is_made = true;
    if (writer && !piece.failure) idle_.push_back(std::move(writer));
  }

  Assets give(Piece& head) {
    if (head.failure) {
      is_stopped_ = true;
      std::rethrow_exception(head.failure);
    }
    Assets chunk = std::move(head.chunks[head.given++]);
    if (head.given == head.chunks.size()) {
      ++given_;
      call_helpers();
    }
    return chunk;
  }

  void call_helpers() {
    if (!may_take() || asked_ >= threads_ - 1) return;
    const int wanted = threads_ - 1 - asked_;
    asked_ += wanted;
    call_soon(wanted, [self = shared_from_this()] { self->help(); });
  }

  void help() {
    std::unique_lock lock(mutex_);
    ++inside_;
    while (Piece* const own = take()) {
      make(*own, lock);
      made_.notify_one();
    }
    --asked_;
    if (--inside_ == 0) left_.notify_one();
  }

  const std::shared_ptr<const Assembler> assembler_;
  std::shared_ptr<const Binding> binding_;
  const std::int64_t batch_bytes_;
  const int threads_;
  std::mutex mutex_;
  std::condition_variable made_;
  std::condition_variable left_;
  std::int64_t next_row_;
  std::int64_t taken_ = 0;  // pieces
  std::int64_t given_ = 0;
  int asked_ = 0;   // helpers that were called and have not left
  int inside_ = 0;  // helpers at work
  bool is_stopped_ = false;
  std::vector<Piece> pieces_;
  std::vector<std::unique_ptr<ChunkWriter>> idle_;  // one for each who writes
};

AssetStream::AssetStream(std::shared_ptr<const Assembler> assembler,
                         const std::shared_ptr<const Batch>& batch, const AssembleOptions& options)
    : assembler_(std::move(assembler)), options_(options) {
  options_.check();
  binding_ = std::make_shared<const Binding>(assembler_->program(), batch);
  making_ = begin();
}

AssetStream::~AssetStream() {
  // The threads of the process before a fork will never leave; what they held stays as it was.
  if (forks_ == forks()) {
    making_->stop();
  } else {
    static_cast<void>(new std::shared_ptr<Making>(std::move(making_)));
  }
}

std::shared_ptr<AssetStream::Making> AssetStream::begin() {
  forks_ = forks();
  auto making = std::make_shared<Making>(assembler_, binding_, options_, next_row_);
  making->start();
  return making;
}

ArrayPointer AssetStream::example() {
  return assembler_->no_text();
}

ArrayPointer AssetStream::next() {
  if (forks_ != forks()) {
    static_cast<void>(new std::shared_ptr<Making>(std::move(making_)));
    making_ = begin();
  }
  Assets chunk = making_->next();
  if (chunk.text) next_row_ += chunk.text->length;
  notes_ = std::move(chunk.notes);
  return std::move(chunk.text);
}

}  // namespace labfactory
