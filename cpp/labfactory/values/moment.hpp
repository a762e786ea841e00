// Dates and times as Python's datetime has them: the calendar, and their text.
// Owner: the caller's buffer, which must hold the bound named beside each writer; writers return the end of
// the text. Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace labfactory {

inline constexpr std::int64_t kSecondMicroseconds = 1'000'000;
inline constexpr std::int64_t kDayMicroseconds = 86'400 * kSecondMicroseconds;

// A day of the proleptic Gregorian calendar.
struct CivilDay {
  std::int64_t year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
};

// A time of day.
struct ClockTime {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int microsecond = 0;
};

struct IsoWeek {
  std::int64_t year = 1970;
  int week = 1;  // 1 to 53
  int day = 1;   // Monday 1 to Sunday 7
};

// A timedelta's three numbers: days of any sign, the others not negative.
struct Elapsed {
  std::int64_t days = 0;
  int seconds = 0;
  int microseconds = 0;
};

// Days since 1970-01-01, and back.
[[nodiscard]] CivilDay civil_from_days(std::int64_t days);
[[nodiscard]] std::int64_t days_from_civil(std::int64_t year, int month, int day);

// Whole days of microseconds since 1970-01-01, rounded down, and the time of that day.
[[nodiscard]] std::int64_t day_of(std::int64_t microseconds);
[[nodiscard]] ClockTime clock_of(std::int64_t microseconds);
[[nodiscard]] Elapsed elapsed_of(std::int64_t microseconds);

// date.weekday(): Monday 0 to Sunday 6.
[[nodiscard]] int weekday(std::int64_t days);
// 1 to 366
[[nodiscard]] int day_of_year(std::int64_t days);
// date.isocalendar()
[[nodiscard]] IsoWeek iso_week(std::int64_t days);

// True when the date, or the date of the timestamp, lies in the years 1 to 9999 that Python's datetime can
// hold.
[[nodiscard]] bool is_date(std::int64_t days);
[[nodiscard]] bool is_timestamp(std::int64_t microseconds);

// "2026-01-31"
inline constexpr std::size_t kDateBound = 10;
// "2026-01-31 12:30:00.000001"
inline constexpr std::size_t kTimestampBound = 26;
// "12:30:00.000001"
inline constexpr std::size_t kTimeBound = 15;
// "+01:00:00"
inline constexpr std::size_t kOffsetBound = 9;
// "-106751992 days, 19:59:05.224192"
inline constexpr std::size_t kDurationBound = 40;

// str(date) of days since 1970-01-01. Needs kDateBound bytes; null unless is_date.
[[nodiscard]] char* write_date(char* out, std::int64_t days);

// str(datetime) of microseconds since 1970-01-01 without a zone: no fraction when it is zero, six digits
// otherwise. Needs kTimestampBound bytes; null unless is_timestamp. isoformat() has another separator.
[[nodiscard]] char* write_timestamp(char* out, std::int64_t microseconds, char separator = ' ');

// str(time) of microseconds since midnight. Needs kTimeBound bytes.
char* write_time(char* out, std::int64_t microseconds);

// What str() of an aware datetime ends with. Needs kOffsetBound bytes.
char* write_offset(char* out, int seconds);

// str(timedelta). Needs kDurationBound bytes.
char* write_duration(char* out, std::int64_t microseconds);

}  // namespace labfactory
