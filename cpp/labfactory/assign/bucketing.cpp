#include "labfactory/assign/bucketing.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "labfactory/assign/hashes.hpp"
#include "labfactory/assign/key_tile.hpp"
#include "labfactory/assign/lane_kernels.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"
#include "labfactory/base/parallel.hpp"
#include "labfactory/execute/copy.hpp"

namespace labfactory {

namespace {

// 2,048 hashes and buckets are 32 KiB: they stay near while a block goes through its loops.
constexpr std::int64_t kBlock = 2048;

// Calls hash(text) for every key there is, in order; the hash of a null key is 0.
template <class Hash>
void hash_texts(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes, const Hash& hash) {
  KeyTexts::Digits digits;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::int64_t row = first + static_cast<std::int64_t>(i);
    hashes[i] = keys.is_valid(row) ? hash(keys.text(row, digits)) : 0;
  }
}

// Prefix, text and suffix side by side.
class Joined {
 public:
  Joined(std::string_view prefix, std::string_view suffix)
      : bytes_(prefix), prefix_(prefix.size()), suffix_(suffix) {}

  std::string_view operator()(std::string_view text) {
    const std::size_t size = prefix_ + text.size() + suffix_.size();
    if (bytes_.size() < size) bytes_.resize(2 * size);
    char* const at = bytes_.data() + prefix_;
    copy_bytes(at, text.data(), text.size());
    copy_bytes(at + text.size(), suffix_.data(), suffix_.size());
    return {bytes_.data(), size};
  }

 private:
  std::string bytes_;
  std::size_t prefix_;
  std::string_view suffix_;
};

// A tile of keys at a time by kernel(tile, hashes), and by hash(text) those that do not fit.
template <class Kernel, class Hash>
void hash_tiles(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes, KeyTile& tile,
                const Kernel& kernel, const Hash& hash) {
  if (!tile.has_room()) return hash_texts(keys, first, hashes, hash);
  KeyTexts::Digits digits;
  std::array<std::uint64_t, KeyTile::kRows> made;
  for (std::size_t i = 0; i < hashes.size(); i += KeyTile::kRows) {
    const std::size_t rows = std::min(KeyTile::kRows, hashes.size() - i);
    std::uint32_t alone = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t key = first + static_cast<std::int64_t>(i + row);
      const std::string_view text = keys.is_valid(key) ? keys.text(key, digits) : std::string_view();
      if (tile.fits(text)) {
        tile.set(row, text);
      } else {
        hashes[i + row] = hash(text);
        alone |= 1U << row;
      }
    }
    kernel(tile, made.data());
    for (std::size_t row = 0; row < rows; ++row)
      hashes[i + row] = (alone >> row & 1) != 0 ? hashes[i + row] : made[row];
  }
}

std::uint64_t xxh64_of_key(std::string_view text, std::uint64_t salt) {
  const std::uint64_t key = hash64(text);
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((key >> (8 * i)) & 0xff);
  return hash64({bytes.data(), bytes.size()}, salt);
}

template <class Value>
Bitmap validity_of(const KeyTexts& keys, std::span<const Value>) {
  if (!keys.has_nulls()) return Bitmap(keys.length());
  Bitmap validity;
  for (std::int64_t i = 0; i < keys.length(); ++i) validity.append(keys.is_valid(i));
  return validity;
}

// An arm of -1 is none.
Bitmap validity_of(const KeyTexts&, std::span<const std::int32_t> arms) {
  std::int32_t least = 0;
  for (const std::int32_t arm : arms) least = std::min(least, arm);
  if (least == 0) return Bitmap(static_cast<std::int64_t>(arms.size()));
  Bitmap validity;
  for (const std::int32_t arm : arms) validity.append(arm >= 0);
  return validity;
}

}  // namespace

Bucketing::Bucketing(Salting salting, Scale scale)
    : salting_(std::move(salting)),
      scale_(scale),
      prefix_state_(fnv1a32_utf16(kFnvStart, salting_.prefix)),
      suffix_units_(utf16_units(salting_.suffix)) {
  if (scale_.kind != Scale::Kind::fraction && (scale_.count == 0 || scale_.count > 0xFFFFFFFF))
    throw Error(ErrorKind::usage, "bucketing",
                "expected from 1 to 2^32 - 1 buckets, found " + std::to_string(scale_.count));
}

void Bucketing::hash_rows(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes) const {
  const LaneKernels& kernels = lane_kernels();
  Joined joined(salting_.prefix, salting_.suffix);
  switch (salting_.hasher) {
    case Hasher::xxh64:
      return hash_texts(keys, first, hashes,
                        [this](std::string_view text) { return xxh64_of_key(text, salting_.seed); });
    case Hasher::fnv1a32:
      return hash_fnv(keys, first, hashes);
    case Hasher::fnv1a32_of_digits:
      hash_fnv(keys, first, hashes);
      return kernels.fnv1a32_of_digits(hashes);
    case Hasher::murmur3_32: {
      const auto seed = static_cast<std::uint32_t>(salting_.seed);
      KeyTile tile(salting_.prefix, salting_.suffix);
      return hash_tiles(
          keys, first, hashes, tile,
          [&](const KeyTile& full, std::uint64_t* made) { kernels.murmur3_32(full, seed, made); },
          [&](std::string_view text) { return murmur3_32(joined(text), seed); });
    }
    case Hasher::sha1_60:
      return hash_texts(keys, first, hashes,
                        [&joined](std::string_view text) { return sha1_60(joined(text)); });
    case Hasher::sha256_64:
      return hash_texts(keys, first, hashes,
                        [&joined](std::string_view text) { return sha256_64(joined(text)); });
  }
}

void Bucketing::hash_fnv(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes) const {
  const LaneKernels& kernels = lane_kernels();
  KeyTile tile({}, {});
  hash_tiles(
      keys, first, hashes, tile,
      [&](const KeyTile& full, std::uint64_t* made) {
        kernels.fnv1a32(full, prefix_state_, suffix_units_, made);
      },
      [&](std::string_view text) {
        return fnv1a32_utf16(fnv1a32_utf16(prefix_state_, text), salting_.suffix);
      });
}

void Bucketing::scale_hashes(std::span<const std::uint64_t> hashes, std::span<double> buckets) const {
  const std::uint64_t count = scale_.count;
  const bool is_narrow = salting_.hasher != Hasher::xxh64 && salting_.hasher != Hasher::sha1_60 &&
                         salting_.hasher != Hasher::sha256_64;
  switch (scale_.kind) {
    case Scale::Kind::fraction:
      if (salting_.hasher == Hasher::sha1_60) {
        for (std::size_t i = 0; i < hashes.size(); ++i) buckets[i] = static_cast<double>(hashes[i]) * 0x1p-60;
      } else {
        for (std::size_t i = 0; i < hashes.size(); ++i)
          buckets[i] = static_cast<double>(hashes[i] >> 11) * 0x1p-53;
      }
      return;
    case Scale::Kind::remainder:
      if (is_narrow)
        return lane_kernels().remainders(hashes, static_cast<double>(count), scale_.offset, scale_.divisor,
                                         buckets.data());
      for (std::size_t i = 0; i < hashes.size(); ++i)
        buckets[i] = (static_cast<double>(hashes[i] % count) + scale_.offset) / scale_.divisor;
      return;
    case Scale::Kind::share:
      return lane_kernels().shares(hashes, static_cast<std::uint32_t>(count), buckets.data());
  }
}

template <class Value, class Work>
ArrayPointer Bucketing::by_blocks(const KeyTexts& keys, int threads, const Work& work) const {
  const auto length = static_cast<std::size_t>(keys.length());
  PooledBuffer buffer = BufferPool::acquire(length * sizeof(Value));
  const std::span<Value> values(reinterpret_cast<Value*>(buffer.data()), length);
  const std::int64_t blocks = (keys.length() + kBlock - 1) / kBlock;
  parallel_for(threads, blocks, [&](std::int64_t block, int) {
    const std::int64_t first = block * kBlock;
    const auto size = static_cast<std::size_t>(std::min(kBlock, keys.length() - first));
    std::array<std::uint64_t, kBlock> hashes;
    hash_rows(keys, first, std::span(hashes).first(size));
    work(first, std::span<const std::uint64_t>(hashes).first(size),
         values.subspan(static_cast<std::size_t>(first), size));
  });
  Bitmap validity = validity_of(keys, std::span<const Value>(values));
  return make_array<Value>(std::move(buffer), keys.length(), std::move(validity));
}

ArrayPointer Bucketing::hashes(const KeyTexts& keys, int threads) const {
  return by_blocks<std::uint64_t>(
      keys, threads, [](std::int64_t, std::span<const std::uint64_t> made, std::span<std::uint64_t> out) {
        std::copy(made.begin(), made.end(), out.begin());
      });
}

ArrayPointer Bucketing::buckets(const KeyTexts& keys, int threads) const {
  return by_blocks<double>(keys, threads,
                           [this](std::int64_t, std::span<const std::uint64_t> made, std::span<double> out) {
                             scale_hashes(made, out);
                           });
}

ArrayPointer Bucketing::arms(const KeyTexts& keys, const Ranges& ranges, bool skip_falsy, int threads) const {
  return by_blocks<std::int32_t>(
      keys, threads,
      [&](std::int64_t first, std::span<const std::uint64_t> made, std::span<std::int32_t> out) {
        std::array<double, kBlock> buckets;
        scale_hashes(made, std::span(buckets).first(made.size()));
        choose_arms(std::span<const double>(buckets).first(made.size()), ranges, out);
        if (!keys.has_nulls() && !skip_falsy) return;
        for (std::size_t i = 0; i < out.size(); ++i) {
          const std::int64_t row = first + static_cast<std::int64_t>(i);
          if (!keys.is_valid(row) || (skip_falsy && keys.is_falsy(row))) out[i] = -1;
        }
      });
}

void choose_arms(std::span<const double> buckets, const Ranges& ranges, std::span<std::int32_t> arms) {
  std::fill(arms.begin(), arms.end(), -1);
  // From the last arm to the first, so that the first range that holds a bucket has the last word.
  for (std::size_t arm = ranges.lower.size(); arm-- > 0;) {
    const double lower = ranges.lower[arm];
    const double upper = ranges.upper[arm];
    lane_kernels().mark(buckets, lower, upper, static_cast<std::int32_t>(arm), arms.data());
  }
}

}  // namespace labfactory
