// Where customers fall: the hash of a key under an experiment's salts, the bucket that a standard makes of
// the hash, and the arm whose range holds the bucket. Owner: values inside. Threads: values; reading is safe
// from any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/assign/key_texts.hpp"

namespace labfactory {

enum class Hasher : std::uint8_t {
  xxh64,              // of the 8 bytes of the key's XXH64, under a seed
  fnv1a32,            // of prefix, key and suffix, as JavaScript reads them
  fnv1a32_of_digits,  // of the decimal digits of fnv1a32
  murmur3_32,         // of prefix, key and suffix, under a seed
  sha1_60,            // of prefix, key and suffix
  sha256_64,          // of prefix, key and suffix
};

// What is hashed of a key, and how.
struct Salting {
  Hasher hasher = Hasher::xxh64;
  std::string prefix;
  std::string suffix;
  std::uint64_t seed = 0;
};

// How a hash becomes a bucket.
struct Scale {
  enum class Kind : std::uint8_t {
    fraction,   // the upper 53 of 64 bits over 2^53; the 60 bits of sha1_60 over 2^60, which may round to 1
    remainder,  // (hash % count + offset) / divisor
    share,      // floor(hash / 2^32 * count), of a hash of 32 bits
  };
  Kind kind = Kind::fraction;
  std::uint64_t count = 0;
  double offset = 0.0;
  double divisor = 1.0;
};

// Half-open ranges of buckets, one for each arm; the first that holds a bucket is its arm.
struct Ranges {
  std::vector<double> lower;
  std::vector<double> upper;
};

class Bucketing {
 public:
  Bucketing(Salting salting, Scale scale);

  // uint64; null where the key is null.
  [[nodiscard]] ArrayPointer hashes(const KeyTexts& keys, int threads) const;
  // double; null where the key is null.
  [[nodiscard]] ArrayPointer buckets(const KeyTexts& keys, int threads) const;
  // int32; null where the key is null, or falsy and these are left out, or its bucket lies in no range.
  [[nodiscard]] ArrayPointer arms(const KeyTexts& keys, const Ranges& ranges, bool skip_falsy,
                                  int threads) const;

 private:
  void hash_rows(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes) const;
  void hash_fnv(const KeyTexts& keys, std::int64_t first, std::span<std::uint64_t> hashes) const;
  void scale_hashes(std::span<const std::uint64_t> hashes, std::span<double> buckets) const;
  template <class Value, class Work>
  ArrayPointer by_blocks(const KeyTexts& keys, int threads, const Work& work) const;

  Salting salting_;
  Scale scale_;
  std::uint32_t prefix_state_;  // FNV of the prefix
  std::vector<std::uint16_t> suffix_units_;
};

// The first range that holds each bucket, or -1.
void choose_arms(std::span<const double> buckets, const Ranges& ranges, std::span<std::int32_t> arms);

}  // namespace labfactory
