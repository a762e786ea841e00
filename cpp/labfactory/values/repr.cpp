#include "labfactory/values/repr.hpp"

#include <cstring>

#include "labfactory/values/dict.hpp"
#include "labfactory/values/filters.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// Text that grows in the arena.
class Growing {
 public:
  explicit Growing(const Scope& scope) : scope_(scope) {}

  // Room for so many bytes at the end; what was written there is taken by advance().
  Outcome room(std::size_t bytes, char*& at) {
    if (bytes > capacity_ - size_) {
      if (size_ + bytes > scope_.most_bytes) return Outcome::asset_too_large;
      const std::size_t grown = 2 * (size_ + bytes) + kFirst;
      char* moved = scope_.arena.allocate(grown);
      if (size_ != 0) std::memcpy(moved, begin_, size_);
      begin_ = moved;
      capacity_ = grown;
    }
    at = begin_ + size_;
    return Outcome::ok;
  }
  void advance(const char* end) { size_ = static_cast<std::size_t>(end - begin_); }

  Outcome append(std::string_view text) {
    char* at = nullptr;
    if (const Outcome o = room(text.size(), at); o != Outcome::ok) return o;
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    advance(at + text.size());
    return Outcome::ok;
  }

  [[nodiscard]] std::string_view text() const { return {begin_, size_}; }

 private:
  static constexpr std::size_t kFirst = 64;
  const Scope& scope_;
  char* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class ReprWriter {
 public:
  explicit ReprWriter(const Scope& scope) : scope_(scope), out_(scope) {}

  Outcome write(const Value& value) {
    if (const Outcome o = spend(scope_, 1); o != Outcome::ok) return o;
    switch (value.kind) {
      case Kind::undefined:
        return out_.append("Undefined");  // under strict too
      case Kind::text:
        return quoted(value.view());
      case Kind::markup:
        return called("Markup", [&] { return quoted(value.view()); });
      case Kind::decimal:
        return called("Decimal", [&] { return text_in("'", value); });
      case Kind::date:
      case Kind::timestamp:
      case Kind::time:
        return moment(value);
      case Kind::duration:
        return duration(value.payload.integer);
      case Kind::zoned:
        return zoned(value);
      case Kind::list:
      case Kind::column_list:
        return sequence(value, "[", "]");
      case Kind::tuple:
        return sequence(value, "(", value.length == 1 ? ",)" : ")");
      case Kind::dict:
      case Kind::column_map:
      case Kind::record:
        return dict(value);
      default:
        return text_in("", value);
    }
  }

  [[nodiscard]] std::string_view text() const { return out_.text(); }

 private:
  template <class Inside>
  Outcome called(std::string_view name, const Inside& inside) {
    if (const Outcome o = out_.append(name); o != Outcome::ok) return o;
    if (const Outcome o = out_.append("("); o != Outcome::ok) return o;
    if (const Outcome o = inside(); o != Outcome::ok) return o;
    return out_.append(")");
  }

  Outcome quoted(std::string_view text) {
    char* at = nullptr;
    if (const Outcome o = out_.room(repr_text_bound(text.size()), at); o != Outcome::ok) return o;
    charge_text(scope_, text);
    out_.advance(write_text_repr(at, text));
    return Outcome::ok;
  }

  // str(value) between quotes.
  Outcome text_in(std::string_view quote, const Value& value) {
    std::string_view text;
    if (const Outcome o = text_of(scope_, value, text); o != Outcome::ok) return o;
    if (const Outcome o = out_.append(quote); o != Outcome::ok) return o;
    if (const Outcome o = out_.append(text); o != Outcome::ok) return o;
    return out_.append(quote);
  }

  Outcome sequence(const Value& value, std::string_view open, std::string_view close) {
    const Deeper deeper(scope_);
    if (!deeper.is_allowed()) return Outcome::work_limit;
    if (const Outcome o = out_.append(open); o != Outcome::ok) return o;
    for (std::uint32_t i = 0; i < value.length; ++i) {
      if (i != 0) {
        if (const Outcome o = out_.append(", "); o != Outcome::ok) return o;
      }
      Value entry;
      if (const Outcome o = item(scope_, value, i, entry); o != Outcome::ok) return o;
      if (const Outcome o = write(entry); o != Outcome::ok) return o;
    }
    return out_.append(close);
  }

  Outcome dict(const Value& value) {
    const Deeper deeper(scope_);
    if (!deeper.is_allowed()) return Outcome::work_limit;
    Dict view;
    if (const Outcome o = Dict::open(scope_, value, view); o != Outcome::ok) return o;
    if (const Outcome o = out_.append("{"); o != Outcome::ok) return o;
    for (std::uint32_t i = 0; i < view.size(); ++i) {
      if (i != 0) {
        if (const Outcome o = out_.append(", "); o != Outcome::ok) return o;
      }
      Value entry;
      if (const Outcome o = view.key(scope_, i, entry); o != Outcome::ok) return o;
      if (const Outcome o = write(entry); o != Outcome::ok) return o;
      if (const Outcome o = out_.append(": "); o != Outcome::ok) return o;
      if (const Outcome o = view.value(scope_, i, entry); o != Outcome::ok) return o;
      if (const Outcome o = write(entry); o != Outcome::ok) return o;
    }
    return out_.append("}");
  }

  // Numbers with ", " between.
  Outcome numbers(std::initializer_list<std::int64_t> values) {
    char* at = nullptr;
    if (const Outcome o = out_.room(values.size() * (kIntegerBound + 8), at); o != Outcome::ok) return o;
    bool is_first = true;
    for (const std::int64_t value : values) {
      if (!is_first) {
        std::memcpy(at, ", ", 2);
        at += 2;
      }
      is_first = false;
      at = write_integer(at, value);
    }
    out_.advance(at);
    return Outcome::ok;
  }

  Outcome clock(const ClockTime& c) {
    if (c.microsecond != 0) return numbers({c.hour, c.minute, c.second, c.microsecond});
    return c.second != 0 ? numbers({c.hour, c.minute, c.second}) : numbers({c.hour, c.minute});
  }

  Outcome moment(const Value& value) {
    if (value.kind == Kind::time) {
      return called("datetime.time", [&] { return clock(clock_of(value.payload.integer)); });
    }
    const bool is_date = value.kind == Kind::date;
    const CivilDay day = civil_from_days(is_date ? value.payload.integer : day_of(value.payload.integer));
    return called(is_date ? "datetime.date" : "datetime.datetime", [&] {
      if (const Outcome o = numbers({day.year, day.month, day.day}); o != Outcome::ok || is_date) return o;
      if (const Outcome o = out_.append(", "); o != Outcome::ok) return o;
      return clock(clock_of(value.payload.integer));
    });
  }

  // datetime.timezone for UTC and offsets, ZoneInfo for names: what docs/arrow.md takes a zone for.
  Outcome zoned(const Value& value) {
    return called("datetime.datetime", [&] {
      const CivilDay day = civil_from_days(day_of(value.payload.integer));
      if (const Outcome o = numbers({day.year, day.month, day.day}); o != Outcome::ok) return o;
      if (const Outcome o = out_.append(", "); o != Outcome::ok) return o;
      if (const Outcome o = clock(clock_of(value.payload.integer)); o != Outcome::ok) return o;
      if (const Outcome o = out_.append(value.reserved != 0 ? ", fold=1, tzinfo=" : ", tzinfo=");
          o != Outcome::ok) {
        return o;
      }
      return zone(scope_.cells.zone(value.column).name(), value.offset());
    });
  }

  Outcome zone(const std::string& name, std::int32_t offset) {
    if (name == "UTC") return out_.append("datetime.timezone.utc");
    if (Zone::spelled(name)) {
      return called("datetime.timezone", [&] { return duration(offset * kSecondMicroseconds); });
    }
    return called("zoneinfo.ZoneInfo", [&] {
      if (const Outcome o = out_.append("key="); o != Outcome::ok) return o;
      return quoted(name);
    });
  }

  Outcome duration(std::int64_t microseconds) {
    const Elapsed elapsed = elapsed_of(microseconds);
    const auto part = [&](std::string_view name, std::int64_t value, bool& is_first) {
      if (value == 0) return Outcome::ok;
      if (!is_first) {
        if (const Outcome o = out_.append(", "); o != Outcome::ok) return o;
      }
      is_first = false;
      if (const Outcome o = out_.append(name); o != Outcome::ok) return o;
      return numbers({value});
    };
    return called("datetime.timedelta", [&] {
      bool is_first = true;
      if (const Outcome o = part("days=", elapsed.days, is_first); o != Outcome::ok) return o;
      if (const Outcome o = part("seconds=", elapsed.seconds, is_first); o != Outcome::ok) return o;
      if (const Outcome o = part("microseconds=", elapsed.microseconds, is_first); o != Outcome::ok) return o;
      return is_first ? out_.append("0") : Outcome::ok;
    });
  }

  const Scope& scope_;
  Growing out_;
};

}  // namespace

Outcome repr(const Scope& scope, const Value& value, std::string_view& out) {
  ReprWriter writer(scope);
  const Outcome outcome = writer.write(value);
  out = writer.text();
  return outcome;
}

}  // namespace labfactory
