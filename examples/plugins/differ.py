# examples/plugins/differ.py
from dataclasses import dataclass

from moo_infer import Answer, AtLeastOne, Call, Policy, Seen, hookimpl


@dataclass(frozen=True)
class Differ(Policy):
    """Two samples, and the rest where they differ."""

    name = "differ"

    model: str = ""
    k: AtLeastOne = 8

    @property
    def most(self) -> dict[str, int]:
        return {self.model: max(self.k, 2)}

    def decide(self, seen: Seen, /) -> Call | Answer:
        n = seen.n(self.model)
        if n == 0:
            return Call({self.model: 2})
        if n >= self.k or seen.votes()[0] == 2:
            return Answer()
        return Call({self.model: self.k - 2})


@hookimpl
def register_policies() -> list[type[Policy]]:
    return [Differ]
