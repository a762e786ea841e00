// Time zones: what Python's timezone and zoneinfo.ZoneInfo say of a moment, from a TZif file's bytes.
// Owner: its own tables; names that it gives out borrow from it.
// Threads: immutable once made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace labfactory {

class Zone {
 public:
  // What holds at a moment.
  struct Rule {
    std::int32_t offset = 0;  // seconds east of UTC
    std::string_view name;    // as %Z prints it
  };

  // datetime.timezone: UTC, or a fixed offset below a day.
  [[nodiscard]] static Zone fixed(std::int32_t offset);
  // "UTC" or an offset as "+05:30"; nothing for names that need a file.
  [[nodiscard]] static std::optional<Zone> spelled(std::string_view name);
  // zoneinfo.ZoneInfo: throws Error(compile, "plan_invalid") for bytes that are no TZif file of version 2 or
  // later.
  [[nodiscard]] static Zone parse(std::string name, std::string_view file);

  [[nodiscard]] const std::string& name() const { return name_; }

  // utcoffset() and tzname() of a civil time, in seconds since 1970-01-01, and Python's fold.
  [[nodiscard]] Rule at_civil(std::int64_t seconds, bool fold) const;
  // What fromutc() adds, and the fold that it sets.
  [[nodiscard]] Rule at_utc(std::int64_t seconds, bool& fold) const;

 private:
  struct Kind {
    std::int32_t offset = 0;
    bool is_dst = false;
    std::string name;
  };
  // When a rule of the footer begins in a year: the first, ..., fourth or last (5) such day of a month, from
  // Sunday 0, and seconds behind its midnight.
  struct Turn {
    int month = 1;
    int week = 1;
    int day = 0;
    std::int64_t seconds = 7200;

    [[nodiscard]] std::int64_t in(std::int64_t year) const;
  };
  // The footer: what holds behind the last transition.
  struct Footer {
    Kind standard;
    Kind summer;
    bool has_summer = false;
    Turn start;
    Turn end;
  };
  class FooterReader;
  class FileReader;

  [[nodiscard]] Rule of(const Kind& kind) const { return {kind.offset, kind.name}; }
  [[nodiscard]] Rule after_civil(std::int64_t seconds, bool fold) const;
  [[nodiscard]] Rule after_utc(std::int64_t seconds, bool& fold) const;
  void set_civil();

  std::string name_;
  std::vector<Kind> kinds_;
  std::vector<std::int64_t> transitions_;           // UTC
  std::array<std::vector<std::int64_t>, 2> civil_;  // the same on the clock, by fold
  std::vector<std::uint8_t> at_;                    // the kind from each transition on
  std::size_t before_ = 0;                          // the kind before the first
  Footer footer_;
};

}  // namespace labfactory
