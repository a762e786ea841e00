#include "labfactory/values/memo.hpp"

#include <algorithm>
#include <cstring>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

namespace {

// Beyond this many known calls a batch begins anew: about 100 MB of short arguments and results.
constexpr std::size_t kMostKnown = std::size_t{1} << 19;

class CallWriter {
 public:
  CallWriter(const Scope& scope, std::string& out) : scope_(scope), out_(out) {}

  void number(std::uint32_t n) { out_.append(reinterpret_cast<const char*>(&n), sizeof n); }

  Outcome value(const Value& v) {
    if (out_.size() > scope_.most_bytes) return Outcome::asset_too_large;
    switch (v.kind) {
      case Kind::none:
        tag(CallTag::none);
        return Outcome::ok;
      case Kind::boolean:
        tag(v.payload.integer != 0 ? CallTag::yes : CallTag::no);
        return Outcome::ok;
      case Kind::integer:
        return eight(CallTag::integer, v);
      case Kind::floating:
        return eight(CallTag::floating, v);
      case Kind::date:
        return eight(CallTag::date, v);
      case Kind::timestamp:
        return eight(CallTag::timestamp, v);
      case Kind::text:
      case Kind::markup:
        tag(v.kind == Kind::markup ? CallTag::markup : CallTag::text);
        text(v.view());
        return Outcome::ok;
      case Kind::time:
        return eight(CallTag::time, v);
      case Kind::duration:
        return eight(CallTag::duration, v);
      case Kind::zoned:
        return zoned(v);
      case Kind::decimal:
        return decimal(v);
      case Kind::list:
      case Kind::column_list:
      case Kind::tuple:
        return items(v);
      case Kind::dict:
      case Kind::column_map:
      case Kind::record:
        return dict(v);
      case Kind::undefined:
        return Outcome::undefined;
      default:
        return Outcome::unsupported;
    }
  }

 private:
  void tag(CallTag t) { out_.push_back(static_cast<char>(t)); }

  void text(std::string_view t) {
    number(static_cast<std::uint32_t>(t.size()));
    out_.append(t);
  }

  // The payload's bytes tell -0.0 from 0.0, and 1 from 1.0 by their tags: functions may, too.
  Outcome eight(CallTag t, const Value& v) {
    tag(t);
    out_.append(reinterpret_cast<const char*>(&v.payload), sizeof v.payload);
    return Outcome::ok;
  }

  Outcome zoned(const Value& v) {
    static_cast<void>(eight(CallTag::zoned, v));
    out_.push_back(v.reserved != 0 ? '1' : '0');
    text(scope_.cells.zone(v.column).name());
    return Outcome::ok;
  }

  Outcome decimal(const Value& v) {
    char written[kDecimalBound];
    const char* const end = write_decimal(written, decimal_of(v));
    tag(CallTag::decimal);
    text({written, static_cast<std::size_t>(end - written)});
    return Outcome::ok;
  }

  Outcome items(const Value& v) {
    const Deeper deeper(scope_);
    if (!deeper.is_allowed()) return Outcome::work_limit;
    tag(v.kind == Kind::tuple ? CallTag::tuple : CallTag::list);
    number(v.length);
    for (std::uint32_t i = 0; i < v.length; ++i) {
      scope_.arena.charge(1);
      Value piece;
      if (const Outcome o = item(scope_, v, i, piece); o != Outcome::ok) return o;
      if (const Outcome o = value(piece); o != Outcome::ok) return o;
    }
    return Outcome::ok;
  }

  Outcome dict(const Value& v) {
    const Deeper deeper(scope_);
    if (!deeper.is_allowed()) return Outcome::work_limit;
    Dict view;
    if (const Outcome o = Dict::open(scope_, v, view); o != Outcome::ok) return o;
    tag(CallTag::dict);
    number(view.size());
    for (std::uint32_t i = 0; i < view.size(); ++i) {
      scope_.arena.charge(1);
      Value piece;
      if (const Outcome o = view.key(scope_, i, piece); o != Outcome::ok) return o;
      if (const Outcome o = value(piece); o != Outcome::ok) return o;
      if (const Outcome o = view.value(scope_, i, piece); o != Outcome::ok) return o;
      if (const Outcome o = value(piece); o != Outcome::ok) return o;
    }
    return Outcome::ok;
  }

  const Scope& scope_;
  std::string& out_;
};

}  // namespace

Outcome Memo::call(const Scope& scope, std::int32_t function, const Value* arguments, std::int32_t count,
                   Value& out) {
  thread_local std::string call;
  call.clear();
  CallWriter writer(scope, call);
  writer.number(static_cast<std::uint32_t>(function));
  for (std::int32_t i = 0; i < count; ++i) {
    if (const Outcome o = writer.value(arguments[i]); o != Outcome::ok) return o;
  }
  scope.arena.charge(1 + call.size() / 16);
  const auto found = known_.find(call);
  if (found != known_.end()) {
    out = found->second.result;
    return found->second.outcome;
  }
  if (is_closed_) return Outcome::work_limit;
  const std::lock_guard lock(asking_);
  requests_.insert(call);
  return Outcome::suspended;
}

std::vector<std::string> Memo::take_requests() {
  std::vector<std::string> calls(requests_.begin(), requests_.end());
  requests_.clear();
  std::sort(calls.begin(), calls.end());
  return calls;
}

void Memo::begin() {
  is_closed_ = false;
  if (known_.size() <= kMostKnown) return;
  known_.clear();
  store_ = std::make_unique<ConstantStore>();
}

}  // namespace labfactory
