#include "labfactory/values/zone.hpp"

#include <algorithm>
#include <utility>

#include "labfactory/base/error.hpp"
#include "labfactory/values/moment.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kDaySeconds = 86'400;

[[noreturn]] void refuse(std::string_view name) {
  throw Error(ErrorKind::compile, "plan_invalid",
              "invalid plan: the rules of time zone '" + std::string(name) + "' are no TZif file");
}

bool is_leap(std::int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int days_in(std::int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap(year) ? 1 : 0);
}

std::int64_t year_of(std::int64_t seconds) {
  return civil_from_days(seconds / kDaySeconds - (seconds % kDaySeconds < 0 ? 1 : 0)).year;
}

std::string two_digits(std::int32_t value) {
  return {static_cast<char>('0' + value / 10), static_cast<char>('0' + value % 10)};
}

}  // namespace

// Reads a POSIX TZ string: std offset dst [offset] , start [/time] , end [/time].
class Zone::FooterReader {
 public:
  FooterReader(std::string_view zone, std::string_view text) : zone_(zone), rest_(text) {}

  Footer read() {
    Footer footer;
    footer.standard.name = abbreviation();
    // A TZ string counts west of UTC.
    footer.standard.offset = -static_cast<std::int32_t>(duration());
    if (rest_.empty()) return footer;
    footer.has_summer = true;
    footer.summer.is_dst = true;
    footer.summer.name = abbreviation();
    footer.summer.offset = footer.standard.offset + 3600;
    if (!rest_.starts_with(',')) footer.summer.offset = -static_cast<std::int32_t>(duration());
    footer.start = turn();
    footer.end = turn();
    if (!rest_.empty()) refuse(zone_);
    return footer;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string abbreviation() {
    const bool is_quoted = take('<');
    std::size_t size = 0;
    const auto inside = [&](char c) {
      return is_quoted ? c != '>' : (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    while (size < rest_.size() && inside(rest_[size])) ++size;
    std::string name(rest_.substr(0, size));
    rest_.remove_prefix(size);
    if (name.empty() || (is_quoted && !take('>'))) refuse(zone_);
    return name;
  }

  int number() {
    constexpr int kMost = 10'000;
    int value = 0;
    std::size_t digits = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9' && value < kMost) {
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
      ++digits;
    }
    if (digits == 0) refuse(zone_);
    return value;
  }

  // [+-]hh[:mm[:ss]] in seconds
  std::int64_t duration() {
    const bool is_negative = take('-');
    if (!is_negative) take('+');
    std::int64_t seconds = std::int64_t{number()} * 3600;
    if (take(':')) seconds += std::int64_t{number()} * 60;
    if (take(':')) seconds += number();
    return is_negative ? -seconds : seconds;
  }

  Turn turn() {
    // Days counted from January 1st, the other form, stand in no zone of tzdata.
    if (!take(',') || !take('M')) refuse(zone_);
    Turn turn;
    turn.month = number();
    if (!take('.')) refuse(zone_);
    turn.week = number();
    if (!take('.')) refuse(zone_);
    turn.day = number();
    if (turn.month < 1 || turn.month > 12 || turn.week < 1 || turn.week > 5 || turn.day > 6) refuse(zone_);
    if (take('/')) turn.seconds = duration();
    return turn;
  }

  std::string_view zone_;
  std::string_view rest_;
};

// Reads the second block of a TZif file (RFC 8536), whose times have 64 bits, and the footer behind it.
class Zone::FileReader {
 public:
  FileReader(std::string_view zone, std::string_view file) : zone_(zone), rest_(file) {}

  void read(Zone& zone) {
    const Counts first = header();
    if (first.version < '2') refuse(zone_);
    constexpr std::size_t kShortTime = 4;
    skip(first.times * (kShortTime + 1) + first.kinds * 6 + first.names + first.leaps * (kShortTime + 4) +
         first.standards + first.universals);
    const Counts counts = header();
    if (counts.kinds == 0) refuse(zone_);
    for (std::size_t i = 0; i < counts.times; ++i) {
      zone.transitions_.push_back(static_cast<std::int64_t>(unsigned_number(8)));
    }
    for (std::size_t i = 0; i < counts.times; ++i) {
      zone.at_.push_back(static_cast<std::uint8_t>(unsigned_number(1)));
      if (zone.at_.back() >= counts.kinds) refuse(zone_);
    }
    if (!std::is_sorted(zone.transitions_.begin(), zone.transitions_.end())) refuse(zone_);
    std::vector<std::size_t> names;
    for (std::size_t i = 0; i < counts.kinds; ++i) {
      Kind& kind = zone.kinds_.emplace_back();
      kind.offset = static_cast<std::int32_t>(unsigned_number(4));
      kind.is_dst = unsigned_number(1) != 0;
      names.push_back(static_cast<std::size_t>(unsigned_number(1)));
      if (kind.offset <= -kDaySeconds || kind.offset >= kDaySeconds) refuse(zone_);
    }
    const std::string_view text = skip(counts.names);
    for (std::size_t i = 0; i < counts.kinds; ++i) {
      if (names[i] >= text.size()) refuse(zone_);
      zone.kinds_[i].name = text.substr(names[i], text.find('\0', names[i]) - names[i]);
    }
    skip(counts.leaps * 12 + counts.standards + counts.universals);
    read_footer(zone);
  }

 private:
  struct Counts {
    char version = '\0';
    std::size_t universals = 0;
    std::size_t standards = 0;
    std::size_t leaps = 0;
    std::size_t times = 0;
    std::size_t kinds = 0;
    std::size_t names = 0;
  };

  Counts header() {
    Counts counts;
    if (skip(4) != "TZif") refuse(zone_);
    counts.version = skip(16)[0];
    for (std::size_t* count : {&counts.universals, &counts.standards, &counts.leaps, &counts.times,
                               &counts.kinds, &counts.names}) {
      *count = static_cast<std::size_t>(unsigned_number(4));
      // No file has more; sums of them stay far from wrapping.
      if (*count > (std::size_t{1} << 20)) refuse(zone_);
    }
    return counts;
  }

  std::string_view skip(std::size_t bytes) {
    if (bytes > rest_.size()) refuse(zone_);
    const std::string_view skipped = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return skipped;
  }

  std::uint64_t unsigned_number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : skip(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  void read_footer(Zone& zone) {
    if (rest_.size() < 2 || rest_.front() != '\n') refuse(zone_);
    rest_.remove_prefix(1);
    const std::string_view footer = rest_.substr(0, rest_.find('\n'));
    if (footer.empty()) {
      zone.footer_.standard = zone.at_.empty() ? zone.kinds_.back() : zone.kinds_[zone.at_.back()];
    } else {
      zone.footer_ = FooterReader(zone_, footer).read();
    }
  }

  std::string_view zone_;
  std::string_view rest_;
};

Zone Zone::fixed(std::int32_t offset) {
  Zone zone;
  Kind& kind = zone.footer_.standard;
  kind.offset = offset;
  kind.name = "UTC";
  zone.name_ = "UTC";
  if (offset != 0) {
    const std::int32_t minutes = (offset < 0 ? -offset : offset) / 60;
    zone.name_ = (offset < 0 ? "-" : "+") + two_digits(minutes / 60) + ":" + two_digits(minutes % 60);
    kind.name += zone.name_;
  }
  return zone;
}

std::optional<Zone> Zone::spelled(std::string_view name) {
  if (name == "UTC") return fixed(0);
  const auto digit = [&](std::size_t at) { return name[at] >= '0' && name[at] <= '9'; };
  const bool is_offset = name.size() == 6 && (name[0] == '+' || name[0] == '-') && name[3] == ':' &&
                         digit(1) && digit(2) && digit(4) && digit(5);
  if (!is_offset) return std::nullopt;
  const auto pair = [&](std::size_t at) { return (name[at] - '0') * 10 + (name[at + 1] - '0'); };
  if (pair(1) > 23 || pair(4) > 59) return std::nullopt;
  const int seconds = (pair(1) * 60 + pair(4)) * 60;
  return fixed(name[0] == '-' ? -seconds : seconds);
}

Zone Zone::parse(std::string name, std::string_view file) {
  Zone zone;
  zone.name_ = std::move(name);
  FileReader(zone.name_, file).read(zone);
  const auto standard =
      std::find_if(zone.kinds_.begin(), zone.kinds_.end(), [](const Kind& k) { return !k.is_dst; });
  zone.before_ = standard != zone.kinds_.end() ? static_cast<std::size_t>(standard - zone.kinds_.begin())
                 : zone.at_.empty()            ? 0
                                               : zone.at_.front();
  zone.set_civil();
  return zone;
}

// When the clock shows each transition: before it under fold 0, behind it under fold 1, as ZoneInfo counts.
void Zone::set_civil() {
  for (std::size_t i = 0; i < transitions_.size(); ++i) {
    const std::int32_t before = kinds_[i == 0 ? 0 : at_[i - 1]].offset;
    const std::int32_t behind = kinds_[at_[i]].offset;
    civil_[0].push_back(transitions_[i] + std::max(before, behind));
    civil_[1].push_back(transitions_[i] + std::min(before, behind));
  }
}

std::int64_t Zone::Turn::in(std::int64_t year) const {
  // Sunday is 0 here, Monday is 0 in weekday().
  const int first = weekday(days_from_civil(year, month, 1));
  int of_month = (day - (first + 1) + 7) % 7 + 1 + (week - 1) * 7;
  if (of_month > days_in(year, month)) of_month -= 7;
  return days_from_civil(year, month, of_month) * kDaySeconds + seconds;
}

Zone::Rule Zone::at_civil(std::int64_t seconds, bool fold) const {
  const auto& civil = civil_[fold ? 1 : 0];
  if (civil.empty() || seconds > civil.back()) return after_civil(seconds, fold);
  if (seconds < civil.front()) return of(kinds_[before_]);
  const auto next = std::upper_bound(civil.begin(), civil.end(), seconds);
  return of(kinds_[at_[static_cast<std::size_t>(next - civil.begin()) - 1]]);
}

Zone::Rule Zone::after_civil(std::int64_t seconds, bool fold) const {
  if (!footer_.has_summer) return of(footer_.standard);
  const std::int64_t year = year_of(seconds);
  std::int64_t start = footer_.start.in(year);
  std::int64_t end = footer_.end.in(year);
  const std::int64_t shift = std::int64_t{footer_.summer.offset} - footer_.standard.offset;
  // Under fold 0 the hour that the clock shows twice is still summer, the one that it skips not yet.
  if (fold == (shift >= 0)) {
    end -= shift;
  } else {
    start += shift;
  }
  const bool is_summer =
      start < end ? start <= seconds && seconds < end : !(end <= seconds && seconds < start);
  return of(is_summer ? footer_.summer : footer_.standard);
}

Zone::Rule Zone::at_utc(std::int64_t seconds, bool& fold) const {
  fold = false;
  if (!transitions_.empty() && seconds < transitions_.front()) return of(kinds_[before_]);
  if (transitions_.empty()) return after_utc(seconds, fold);
  std::size_t index = transitions_.size();
  Rule found;
  if (seconds > transitions_.back()) {
    found = after_utc(seconds, fold);
  } else {
    const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), seconds);
    index = static_cast<std::size_t>(next - transitions_.begin());
    found = of(kinds_[at_[index - 1]]);
  }
  // Where a transition set the clock back, it shows the same time again.
  const Kind& earlier = kinds_[index >= 2 ? at_[index - 2] : before_];
  fold = fold || earlier.offset - found.offset > seconds - transitions_[index - 1];
  return found;
}

Zone::Rule Zone::after_utc(std::int64_t seconds, bool& fold) const {
  if (!footer_.has_summer) return of(footer_.standard);
  const std::int64_t year = year_of(seconds);
  const std::int64_t start = footer_.start.in(year) - footer_.standard.offset;
  const std::int64_t end = footer_.end.in(year) - footer_.summer.offset;
  const std::int64_t shift = std::int64_t{footer_.summer.offset} - footer_.standard.offset;
  const bool is_summer =
      start < end ? start <= seconds && seconds < end : !(end <= seconds && seconds < start);
  const std::int64_t again = shift > 0 ? end : start;
  fold = again <= seconds && seconds < again + (shift > 0 ? shift : -shift);
  return of(is_summer ? footer_.summer : footer_.standard);
}

}  // namespace labfactory
