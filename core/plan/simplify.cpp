// The passes that ask a node's op for a cheaper expression.
#include <gradus/core/plan/passes.h>

namespace gradus {

namespace {

using Rule = Expr (Op::*)(const Expr& y, const DraftFacts& facts) const;

// What the rule puts in y's place, shown under y's name; y where it knows nothing.
Expr by_rule(Rule rule, const Expr& y, Rewriting& rewriting) {
  if (y.kind() != Kind::op) return y;
  const Graph::Pin pin = rewriting.graph.pin(y.where(), true);
  const NodeId newest = rewriting.graph.size();
  const Expr better = (y.op().*rule)(y, rewriting.facts);
  if (!better.valid() || better.type() != y.type()) return y;
  if (better.id() >= newest) rewriting.graph.show_as(better, y.name());
  return better;
}

}  // namespace

Expr simplify(const Expr& y, Rewriting& rewriting) { return by_rule(&Op::simplified, y, rewriting); }

Expr reassociate(const Expr& y, Rewriting& rewriting) { return by_rule(&Op::reassociated, y, rewriting); }

}  // namespace gradus
