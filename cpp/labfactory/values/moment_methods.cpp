#include "labfactory/values/moment_methods.hpp"

#include <algorithm>
#include <array>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/temporal.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

bool has_day(const Value& v) {
  return v.kind == Kind::date || v.kind == Kind::timestamp || v.kind == Kind::zoned;
}
bool has_clock(const Value& v) {
  return v.kind == Kind::timestamp || v.kind == Kind::zoned || v.kind == Kind::time;
}

std::int64_t day_of_value(const Value& v) {
  // A time stands on this day for strftime.
  if (v.kind == Kind::time) return days_from_civil(1900, 1, 1);
  return v.kind == Kind::date ? v.payload.integer : day_of(v.payload.integer);
}

// What a directive's flag asks for: the letter's own padding, none, blanks or zeros.
char* write_number(char* out, std::int64_t value, int width, char padding, char flag) {
  if (flag == '-') return write_integer(out, value);
  const char fill = flag == '_' ? ' ' : flag == '0' ? '0' : padding;
  char digits[kIntegerBound];
  const auto size = static_cast<int>(labfactory::write_integer(digits, value) - digits);
  out = std::fill_n(out, std::max(width - size, 0), fill);
  return std::copy_n(digits, size, out);
}

class Strftime {
 public:
  Strftime(const Scope& scope, const Value& value)
      : scope_(scope),
        value_(value),
        days_(day_of_value(value)),
        day_(civil_from_days(days_)),
        out_(scope.arena, scope.most_bytes) {
    if (has_clock(value)) clock_ = clock_of(value.payload.integer);
  }

  Outcome run(std::string_view format) {
    while (!format.empty()) {
      const std::size_t at = std::min(format.find('%'), format.size());
      if (!out_.append(format.substr(0, at))) return Outcome::asset_too_large;
      format.remove_prefix(at);
      if (format.empty()) break;
      format.remove_prefix(1);
      char flag = '\0';
      if (!format.empty() && std::string_view("-_0^").find(format.front()) != std::string_view::npos) {
        flag = format.front();
        format.remove_prefix(1);
      }
      if (format.empty()) return Outcome::unsupported;
      const char letter = format.front();
      format.remove_prefix(1);
      if (const Outcome o = directive(letter, flag); o != Outcome::ok) return o;
    }
    return Outcome::ok;
  }

  [[nodiscard]] std::string_view text() const { return out_.text(); }

 private:
  Outcome number(std::int64_t value, int width, char flag, char padding = '0') {
    if (flag == '^') flag = '\0';
    char* const room = out_.room(kIntegerBound);
    if (room == nullptr) return Outcome::asset_too_large;
    out_.commit(write_number(room, value, width, padding, flag));
    return Outcome::ok;
  }

  Outcome name(std::string_view name, char flag) {
    if (flag != '\0' && flag != '^') return Outcome::unsupported;
    char* const room = out_.room(name.size());
    if (room == nullptr) return Outcome::asset_too_large;
    const auto upper = [flag](char c) { return static_cast<char>(flag == '^' && c >= 'a' ? c - 32 : c); };
    out_.commit(std::transform(name.begin(), name.end(), room, upper));
    return Outcome::ok;
  }

  Outcome directive(char letter, char flag) {
    const int twelve = clock_.hour % 12 == 0 ? 12 : clock_.hour % 12;
    const auto weekday_index = static_cast<std::size_t>(weekday(days_));
    const auto month = static_cast<std::size_t>(day_.month - 1);
    switch (letter) {
      case 'a':
        return name(kDays[weekday_index].substr(0, 3), flag);
      case 'A':
        return name(kDays[weekday_index], flag);
      case 'b':
      case 'h':
        return name(kMonths[month].substr(0, 3), flag);
      case 'B':
        return name(kMonths[month], flag);
      case 'd':
        return number(day_.day, 2, flag);
      case 'e':
        return number(day_.day, 2, flag, ' ');
      case 'H':
        return number(clock_.hour, 2, flag);
      case 'I':
        return number(twelve, 2, flag);
      case 'k':
        return number(clock_.hour, 2, flag, ' ');
      case 'l':
        return number(twelve, 2, flag, ' ');
      case 'j':
        return number(day_of_year(days_), 3, flag);
      case 'm':
        return number(day_.month, 2, flag);
      case 'M':
        return number(clock_.minute, 2, flag);
      case 'S':
        return number(clock_.second, 2, flag);
      case 'p':
        return name(clock_.hour < 12 ? "AM" : "PM", flag);
      case 'u':
        return number(weekday(days_) + 1, 1, flag);
      case 'w':
        return number((weekday(days_) + 1) % 7, 1, flag);
      default:
        return flag == '\0' || std::string_view("yUVW").find(letter) != std::string_view::npos
                   ? calendar(letter, flag)
                   : Outcome::unsupported;
    }
  }

  Outcome calendar(char letter, char flag) {
    const int week_day = weekday(days_);
    const int year_day = day_of_year(days_) - 1;
    switch (letter) {
      case 'y':
        return number(day_.year % 100, 2, flag);
      case 'U':
        return number((year_day + 7 - (week_day + 1) % 7) / 7, 2, flag);
      case 'W':
        return number((year_day + 7 - week_day) / 7, 2, flag);
      case 'V':
        return number(iso_week(days_).week, 2, flag);
      case 'Y':
        return year(day_.year);
      case 'G':
        return year(iso_week(days_).year);
      case 'f':
        return number(clock_.microsecond, 6, '\0');
      case 'z':
        return offset();
      case 'Z':
        return zone_name();
      case '%':
        return out_.append("%") ? Outcome::ok : Outcome::asset_too_large;
      case 'n':
        return out_.append("\n") ? Outcome::ok : Outcome::asset_too_large;
      case 't':
        return out_.append("\t") ? Outcome::ok : Outcome::asset_too_large;
      case 'c':
        return run("%a %b %e %H:%M:%S %Y");
      case 'D':
      case 'x':
        return run("%m/%d/%y");
      case 'F':
        return run("%Y-%m-%d");
      case 'r':
        return run("%I:%M:%S %p");
      case 'R':
        return run("%H:%M");
      case 'T':
      case 'X':
        return run("%H:%M:%S");
      default:
        return Outcome::unsupported;
    }
  }

  Outcome year(std::int64_t year) {
    // Libraries differ in whether they pad these.
    constexpr std::int64_t kFourDigits = 1000;
    return year < kFourDigits ? Outcome::unsupported : number(year, 4, '\0');
  }

  Outcome zone_name() {
    if (value_.kind != Kind::zoned) return Outcome::ok;
    const std::int64_t second = days_ * 86'400 + elapsed_of(value_.payload.integer).seconds;
    const Zone::Rule rule = scope_.cells.zone(value_.column).at_civil(second, value_.reserved != 0);
    return out_.append(rule.name) ? Outcome::ok : Outcome::asset_too_large;
  }

  // +HHMM, with seconds where there are some.
  Outcome offset() {
    if (value_.kind != Kind::zoned) return Outcome::ok;
    char written[kOffsetBound];
    char* const end = write_offset(written, value_.offset());
    char* const last = std::remove(written, end, ':');
    return out_.append({written, static_cast<std::size_t>(last - written)}) ? Outcome::ok
                                                                            : Outcome::asset_too_large;
  }

  const Scope& scope_;
  const Value& value_;
  std::int64_t days_;
  CivilDay day_;
  ClockTime clock_;
  ArenaText out_;
};

// Where isoformat stops the time of day.
Outcome write_clock(const Value& value, const Value& timespec, ArenaText& out) {
  if (!timespec.is_text()) return Outcome::type_error;
  const ClockTime clock = clock_of(value.payload.integer);
  const std::string_view asked = timespec.view();
  const bool automatic = asked == "auto";
  const std::string_view spec = !automatic ? asked : clock.microsecond != 0 ? "microseconds" : "seconds";
  constexpr std::array<std::string_view, 5> kSpecs = {"hours", "minutes", "seconds", "milliseconds",
                                                      "microseconds"};
  const auto level = std::find(kSpecs.begin(), kSpecs.end(), spec) - kSpecs.begin();
  if (level == static_cast<std::ptrdiff_t>(kSpecs.size())) return Outcome::value_error;
  char* at = out.room(kTimestampBound);
  if (at == nullptr) return Outcome::asset_too_large;
  at = write_number(at, clock.hour, 2, '0', '\0');
  const auto part = [&](char mark, int number, int width) {
    *at++ = mark;
    at = write_number(at, number, width, '0', '\0');
  };
  if (level >= 1) part(':', clock.minute, 2);
  if (level >= 2) part(':', clock.second, 2);
  if (level == 3) part('.', clock.microsecond / 1000, 3);
  if (level == 4) part('.', clock.microsecond, 6);
  if (value.kind == Kind::zoned) at = write_offset(at, value.offset());
  out.commit(at);
  return Outcome::ok;
}

Outcome isoformat(const Scope& scope, const Value* a, Value& out) {
  ArenaText text(scope.arena, scope.most_bytes);
  if (has_day(a[0])) {
    char* const room = text.room(kDateBound);
    if (room == nullptr) return Outcome::asset_too_large;
    char* const end = write_date(room, day_of_value(a[0]));
    if (end == nullptr) return Outcome::out_of_range;
    text.commit(end);
  }
  if (a[0].kind == Kind::timestamp || a[0].kind == Kind::zoned) {
    if (!a[1].is_text() || count_code_points(a[1].view()) != 1) return Outcome::type_error;
    if (!text.append(a[1].view())) return Outcome::asset_too_large;
  }
  if (has_clock(a[0])) {
    if (const Outcome o = write_clock(a[0], a[2], text); o != Outcome::ok) return o;
  }
  out = Value::text(text.text());
  return Outcome::ok;
}

// A part that a call of replace() gives, or what the value has.
Outcome part(const Value& given, std::int64_t least, std::int64_t most, std::int64_t& out) {
  if (given.kind == Kind::none) return Outcome::ok;
  if (given.kind == Kind::undefined) return Outcome::undefined;
  if (given.kind != Kind::integer && given.kind != Kind::boolean) return Outcome::type_error;
  out = given.payload.integer;
  return out < least || out > most ? Outcome::value_error : Outcome::ok;
}

// value.replace(year, month, day, hour, minute, second, microsecond); None stands for what is left out.
Outcome replace_parts(const Scope& scope, const Value* a, Value& out) {
  const CivilDay day = civil_from_days(day_of_value(a[0]));
  const ClockTime clock = has_clock(a[0]) ? clock_of(a[0].payload.integer) : ClockTime{};
  std::array<std::int64_t, 7> parts = {day.year,     day.month,    day.day,          clock.hour,
                                       clock.minute, clock.second, clock.microsecond};
  constexpr std::array<std::int64_t, 7> kLeast = {1, 1, 1, 0, 0, 0, 0};
  constexpr std::array<std::int64_t, 7> kMost = {9999, 12, 31, 23, 59, 59, 999'999};
  constexpr std::size_t kClock = 3;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool has = i < kClock ? has_day(a[0]) : has_clock(a[0]);
    if (!has && a[i + 1].kind != Kind::none) return Outcome::type_error;
    if (const Outcome o = part(a[i + 1], kLeast[i], kMost[i], parts[i]); o != Outcome::ok) return o;
  }
  const std::int64_t time = ((parts[3] * 60 + parts[4]) * 60 + parts[5]) * kSecondMicroseconds + parts[6];
  if (a[0].kind == Kind::time) {
    out = Value::time(time);
    return Outcome::ok;
  }
  const std::int64_t days = days_from_civil(parts[0], static_cast<int>(parts[1]), static_cast<int>(parts[2]));
  // The day of a month that does not have it.
  if (civil_from_days(days).month != parts[1]) return Outcome::value_error;
  if (a[0].kind == Kind::date) {
    out = Value::date(days);
    return Outcome::ok;
  }
  const std::int64_t civil = days * kDayMicroseconds + time;
  if (a[0].kind == Kind::zoned) return on_clock(scope.cells, civil, a[0].column, a[0].reserved != 0, out);
  out = Value::timestamp(civil);
  return Outcome::ok;
}

}  // namespace

Outcome strftime_text(const Scope& scope, const Value& value, std::string_view format,
                      std::string_view& out) {
  if (!has_day(value) && value.kind != Kind::time) return Outcome::type_error;
  Strftime made(scope, value);
  const Outcome outcome = made.run(format);
  out = made.text();
  return outcome;
}

Outcome call_moment_method(const Scope& scope, Method method, const Value* a, Value& out) {
  switch (method) {
    case Method::date:
      if (a[0].kind != Kind::timestamp && a[0].kind != Kind::zoned) return Outcome::undefined;
      out = Value::date(day_of(a[0].payload.integer));
      return Outcome::ok;
    case Method::time:
      if (a[0].kind != Kind::timestamp && a[0].kind != Kind::zoned) return Outcome::undefined;
      out = Value::time(a[0].payload.integer - day_of(a[0].payload.integer) * kDayMicroseconds);
      return Outcome::ok;
    case Method::weekday:
    case Method::isoweekday:
      if (!has_day(a[0])) return Outcome::undefined;
      out = Value::integer(weekday(day_of_value(a[0])) + (method == Method::isoweekday ? 1 : 0));
      return Outcome::ok;
    case Method::isoformat:
      return a[0].kind == Kind::duration ? Outcome::undefined : isoformat(scope, a, out);
    case Method::strftime: {
      if (a[0].kind == Kind::duration) return Outcome::undefined;
      if (!a[1].is_text()) return Outcome::type_error;
      std::string_view text;
      if (const Outcome o = strftime_text(scope, a[0], a[1].view(), text); o != Outcome::ok) return o;
      out = Value::text(text);
      return Outcome::ok;
    }
    case Method::replace_parts:
      return a[0].kind == Kind::duration ? Outcome::undefined : replace_parts(scope, a, out);
    case Method::timestamp:
      if (a[0].kind != Kind::zoned) return Outcome::undefined;
      out = Value::floating(
          true_divide(a[0].payload.integer - a[0].offset() * kSecondMicroseconds, kSecondMicroseconds));
      return Outcome::ok;
    case Method::total_seconds:
      if (a[0].kind != Kind::duration) return Outcome::undefined;
      out = Value::floating(true_divide(a[0].payload.integer, kSecondMicroseconds));
      return Outcome::ok;
    default:
      return Outcome::undefined;
  }
}

}  // namespace labfactory
