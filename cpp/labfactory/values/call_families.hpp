// The filters, by what they are about; calls.cpp puts them in the order of Filter.
// Owner: results borrow from their arguments, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include "labfactory/values/operators.hpp"

namespace labfactory::filters {

// Every filter gets its value first and then its arguments.
using Function = Outcome (*)(const Scope& scope, const Value* a, Value& out);

// text
Outcome upper(const Scope& scope, const Value* a, Value& out);
Outcome lower(const Scope& scope, const Value* a, Value& out);
Outcome title(const Scope& scope, const Value* a, Value& out);
Outcome capitalize(const Scope& scope, const Value* a, Value& out);
Outcome trim(const Scope& scope, const Value* a, Value& out);
Outcome truncate(const Scope& scope, const Value* a, Value& out);
Outcome string(const Scope& scope, const Value* a, Value& out);
Outcome format(const Scope& scope, const Value* a, Value& out);
Outcome center(const Scope& scope, const Value* a, Value& out);
Outcome indent(const Scope& scope, const Value* a, Value& out);
Outcome wordcount(const Scope& scope, const Value* a, Value& out);
Outcome wordwrap(const Scope& scope, const Value* a, Value& out);

// markup and text for other formats
Outcome escape(const Scope& scope, const Value* a, Value& out);
Outcome forceescape(const Scope& scope, const Value* a, Value& out);
Outcome safe(const Scope& scope, const Value* a, Value& out);
Outcome join(const Scope& scope, const Value* a, Value& out);
Outcome replace(const Scope& scope, const Value* a, Value& out);
Outcome striptags(const Scope& scope, const Value* a, Value& out);
Outcome tojson(const Scope& scope, const Value* a, Value& out);
Outcome urlencode(const Scope& scope, const Value* a, Value& out);
Outcome xmlattr(const Scope& scope, const Value* a, Value& out);

// numbers: first int(value), of text int(value, base), and float(value), with what they raise
Outcome to_integer(const Scope& scope, const Value& value, const Value& base, Value& out);
Outcome to_floating(const Scope& scope, const Value& value, double& out);
Outcome round(const Scope& scope, const Value* a, Value& out);
Outcome abs(const Scope& scope, const Value* a, Value& out);
Outcome divisible(const Scope& scope, const Value* a, Value& out);
Outcome filesizeformat(const Scope& scope, const Value* a, Value& out);
Outcome floating(const Scope& scope, const Value* a, Value& out);
Outcome integer(const Scope& scope, const Value* a, Value& out);

// sequences and dicts
Outcome batch(const Scope& scope, const Value* a, Value& out);
Outcome dictsort(const Scope& scope, const Value* a, Value& out);
Outcome first(const Scope& scope, const Value* a, Value& out);
Outcome group_by(const Scope& scope, const Value* a, Value& out);
Outcome is_new(const Scope& scope, const Value* a, Value& out);
Outcome items(const Scope& scope, const Value* a, Value& out);
Outcome last(const Scope& scope, const Value* a, Value& out);
Outcome length(const Scope& scope, const Value* a, Value& out);
Outcome list(const Scope& scope, const Value* a, Value& out);
Outcome max_by(const Scope& scope, const Value* a, Value& out);
Outcome min_by(const Scope& scope, const Value* a, Value& out);
Outcome range(const Scope& scope, const Value* a, Value& out);
Outcome reverse(const Scope& scope, const Value* a, Value& out);
Outcome slice(const Scope& scope, const Value* a, Value& out);
Outcome sort_by(const Scope& scope, const Value* a, Value& out);
Outcome sort_key(const Scope& scope, const Value* a, Value& out);
Outcome sum(const Scope& scope, const Value* a, Value& out);

}  // namespace labfactory::filters
