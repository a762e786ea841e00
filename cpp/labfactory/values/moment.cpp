#include "labfactory/values/moment.hpp"

#include <cstring>
#include <string_view>

#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// 0001-01-01 and 9999-12-31
constexpr std::int64_t kFirstDay = -719162;
constexpr std::int64_t kLastDay = 2932896;

char* write_two(char* out, int value) {
  return write_padded(out, static_cast<std::uint64_t>(value), 2);
}

char* write_clock(char* out, const ClockTime& clock) {
  out = write_two(out, clock.hour);
  *out++ = ':';
  out = write_two(out, clock.minute);
  *out++ = ':';
  out = write_two(out, clock.second);
  if (clock.microsecond == 0) return out;
  *out++ = '.';
  return write_padded(out, static_cast<std::uint64_t>(clock.microsecond), 6);
}

char* append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

// Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
CivilDay civil_from_days(std::int64_t days) {
  const std::int64_t shifted = days + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t day_of_era = shifted - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * of_year + 2) / 153;
  const auto day = static_cast<int>(of_year - (153 * shifted_month + 2) / 5 + 1);
  const auto month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// The same, days_from_civil.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  const std::int64_t shifted = year - (month <= 2 ? 1 : 0);
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const std::int64_t year_of_era = shifted - era * 400;
  const std::int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719468;
}

std::int64_t day_of(std::int64_t microseconds) {
  return microseconds / kDayMicroseconds - (microseconds % kDayMicroseconds < 0 ? 1 : 0);
}

ClockTime clock_of(std::int64_t microseconds) {
  const std::int64_t rest = microseconds % kDayMicroseconds;
  const std::int64_t of_day = rest < 0 ? rest + kDayMicroseconds : rest;
  const auto seconds = static_cast<int>(of_day / kSecondMicroseconds);
  return {seconds / 3600, seconds / 60 % 60, seconds % 60, static_cast<int>(of_day % kSecondMicroseconds)};
}

Elapsed elapsed_of(std::int64_t microseconds) {
  const ClockTime clock = clock_of(microseconds);
  return {day_of(microseconds), (clock.hour * 60 + clock.minute) * 60 + clock.second, clock.microsecond};
}

int weekday(std::int64_t days) {
  // 1970-01-01 was a Thursday.
  const auto rest = static_cast<int>((days + 3) % 7);
  return rest < 0 ? rest + 7 : rest;
}

int day_of_year(std::int64_t days) {
  return static_cast<int>(days - days_from_civil(civil_from_days(days).year, 1, 1)) + 1;
}

IsoWeek iso_week(std::int64_t days) {
  const int day = weekday(days);
  // A week belongs to the year of its Thursday.
  const std::int64_t thursday = days - day + 3;
  return {civil_from_days(thursday).year, (day_of_year(thursday) - 1) / 7 + 1, day + 1};
}

bool is_date(std::int64_t days) {
  return days >= kFirstDay && days <= kLastDay;
}

bool is_timestamp(std::int64_t microseconds) {
  return is_date(day_of(microseconds));
}

char* write_date(char* out, std::int64_t days) {
  if (!is_date(days)) return nullptr;
  const CivilDay civil = civil_from_days(days);
  out = write_padded(out, static_cast<std::uint64_t>(civil.year), 4);
  *out++ = '-';
  out = write_two(out, civil.month);
  *out++ = '-';
  return write_two(out, civil.day);
}

char* write_timestamp(char* out, std::int64_t microseconds, char separator) {
  out = write_date(out, day_of(microseconds));
  if (out == nullptr) return nullptr;
  *out++ = separator;
  return write_clock(out, clock_of(microseconds));
}

char* write_time(char* out, std::int64_t microseconds) {
  return write_clock(out, clock_of(microseconds));
}

char* write_offset(char* out, int seconds) {
  *out++ = seconds < 0 ? '-' : '+';
  const int magnitude = seconds < 0 ? -seconds : seconds;
  out = write_two(out, magnitude / 3600);
  *out++ = ':';
  out = write_two(out, magnitude / 60 % 60);
  if (magnitude % 60 == 0) return out;
  *out++ = ':';
  return write_two(out, magnitude % 60);
}

char* write_duration(char* out, std::int64_t microseconds) {
  const std::int64_t days = day_of(microseconds);
  if (days != 0) {
    out = write_integer(out, days);
    out = append(out, days == 1 || days == -1 ? " day, " : " days, ");
  }
  const ClockTime clock = clock_of(microseconds);
  // Hours without a zero in front.
  char padded[kTimeBound];
  const char* const end = write_clock(padded, clock);
  const char* const begin = padded + (clock.hour < 10 ? 1 : 0);
  return append(out, {begin, static_cast<std::size_t>(end - begin)});
}

}  // namespace labfactory
