"""What profiles say that no log does, carried over into those that are made of a log: calls, and prices."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..core.call_settings import CallSettings
from ..core.errors import MooInferError
from ..profiles import ModelProfile
from ..quantities.samples import Samples
from ..read.price import Price
from ..read.profile_prices import price_of
from .bills import TOKENS
from .caps import Capped, TimeCap, TokenCap, capped

__all__ = ["Carried", "Measured"]


class Measured(NamedTuple):
    """Samples that a profile is made of, with what no log says of them.

    Args:
        samples: of a model, or of a variant of it.
        model: whose samples the log has.
        price: of its tokens, or None.
        call: how it is called, or None.
        notes: what to know about it, in words.
        cap: what makes it a variant, or None.
    """

    samples: Samples
    model: str
    price: Price | None
    call: CallSettings | None
    notes: Sequence[str]
    cap: Capped | None = None


@dataclass(frozen=True, eq=False)
class Carried:
    """Prices that were given, and what profiles of the same names say.

    Args:
        given: prices by model, which win.
        profiles: by name; None where there are none to carry anything over from.
        doubts: what to warn of.
    """

    given: Mapping[str, Price]
    profiles: Mapping[str, ModelProfile] | None = None
    doubts: Sequence[str] = field(default=())

    @classmethod
    def of(
        cls, profiles: Mapping[str, ModelProfile] | None, models: Collection[str], prices: Mapping[str, Price] | None
    ) -> "Carried":
        """Return what is carried over to the models of a log."""
        missing = [name for name in profiles or {} if name not in models]
        has = "is a profile" if len(missing) == 1 else "are profiles"
        doubts = [f"{', '.join(missing)} {has} of which the log has no samples: left out"] if missing else []
        return cls(prices or {}, profiles, doubts)

    def measured(self, models: Sequence[Samples], caps: Sequence[TokenCap | TimeCap]) -> Iterator[Measured]:
        """Yield what the profiles of models are made of, each model before its variants with caps."""
        names = {samples.model for samples in models}
        for samples in models:
            price, call, notes = self.to(samples)
            yield Measured(samples, samples.model, price, call, notes)
            for cap in caps:
                made = capped(samples, cap, call, priced=price is not None)
                if made.samples.model in names:
                    raise MooInferError(f"{made.samples.model}: is a model of the log, and what {cap.name} would make")
                yield Measured(made.samples, samples.model, price, made.call, made.notes, made)

    def to(self, samples: Samples) -> tuple[Price | None, CallSettings | None, list[str]]:
        """Return the price and the call of a model, and remarks on what it does not get."""
        given = self.given.get(samples.model)
        if self.profiles is None:
            return given, None, []
        profile = self.profiles.get(samples.model)
        if profile is None:
            return given, None, ["there is no profile of that name: no call and no price are carried over"]
        price = price_of(profile) if given is None else given
        notes = []
        if given is None and price is not None and (lacks := [name for name in TOKENS if name not in samples.columns]):
            price = None
            notes.append(f"the price of its profile is not carried over: the log lacks {' and '.join(lacks)}")
        return price, profile.call, notes
