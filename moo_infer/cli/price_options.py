"""The options of commands that need prices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import MooInferError, unknown

if TYPE_CHECKING:
    from ..profiles import ModelProfile
    from ..read.log import Log
    from ..read.log_parts import LogParts
    from ..read.price import Price

__all__ = ["PriceOptions"]


@dataclass(frozen=True, kw_only=True)
class PriceOptions:
    """Prices of tokens, and the day on which they hold."""

    prices: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="genai-prices; LiteLLM's list or proxy configuration; OpenRouter's /models; YAML with USD per token.",
        ),
    ] = None
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=IN,OUT", help="By hand, USD per token; repeatable; wins over --prices."),
    ] = None
    per_million: Annotated[bool, typer.Option("--per-million", help="Prices by hand are USD per million tokens.")] = (
        False
    )
    free: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Whose prices of 0 USD in a list are meant so; repeatable."),
    ] = None
    day: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Whose prices hold; default today.")
    ] = None

    @property
    def sources(self) -> list[str]:
        """What may be the file of prices."""
        return [] if self.prices is None else [self.prices]

    def refuse_without_prices(self) -> None:
        """Raise where an option about prices is given without prices."""
        if (self.per_million or self.free) and self.prices is None and not self.price:
            flag = "--per-million" if self.per_million else "--free"
            raise MooInferError(f"{flag} is about prices; give --prices or --price")
        if self.day is not None and self.prices is None:
            raise MooInferError("--date is the day whose prices hold; give --prices as well")

    def date_of_prices(self) -> date:
        """Return the day whose prices hold."""
        try:
            return date.today() if self.day is None else date.fromisoformat(self.day)
        except ValueError:
            raise MooInferError(f"--date: must be YYYY-MM-DD, got {self.day!r}") from None

    def by_model(self, log: "Log | LogParts", on: date, left: Collection[str] = ()) -> "dict[str, Price] | None":
        """Return the price of every model of a log, or None where no prices are given.

        Where there is no list, the models `left` need none by hand. A renamed model has its price under its own name,
        unless the new one was given a price by hand.
        """
        from ..read.prices import by_hand, find_prices

        if self.prices is None and not self.price:
            return None
        own_prices = by_hand(self.price or [], "--price", self.per_million)
        own_prices = {m: price for m, price in own_prices.items() if m not in log.refused}  # but no error
        names = {m: m for m in log.models}
        called = {m: {s.called for s in log.sources if m in s.models} for m in names}
        names |= {m: own.pop() for m, own in called.items() if len(own) == 1 and own != {""} and m not in own_prices}
        names = {m: name for m, name in names.items() if self.prices or name in own_prices or m not in left}
        free = [names.get(m, m) for m in self.free or [] if m not in log.refused]
        prices = find_prices(list(names.values()), self.prices, on, own_prices, free=free, per_million=self.per_million)
        return {model: prices[name] for model, name in names.items()}

    def by_profile(self, profiles: "Mapping[str, ModelProfile]") -> "dict[str, Price]":
        """Return the prices that are given for models of a file.

        By hand under the name of the profile, or of the model that it is a variant of; else that of what is called, in
        the list. Who is not in the list and has a price in its profile keeps that.
        """
        from ..read.prices import by_hand

        if self.prices is None and not self.price:
            return {}
        given = by_hand(self.price or [], "--price", self.per_million)
        bases = {name: name if name in given else name.rpartition("/")[0] for name in profiles}
        for name in given:
            if name not in profiles and name not in bases.values():
                raise unknown("model", name, profiles, "--price")
        found = {name: given[base] for name, base in bases.items() if base in given}
        if self.prices is None:
            return found
        on = self.date_of_prices()
        for name, profile in profiles.items():
            called = [name, bases[name], profile.call.model if profile.call else ""]
            if name not in found and (price := self._listed([*dict.fromkeys(filter(None, called))], on, profile)):
                found[name] = price
        return found

    def _listed(self, names: "list[str]", on: date, profile: "ModelProfile") -> "Price | None":
        """The price of the first of some names that is in the list; None where its profile has one instead."""
        from ..read.prices import find_prices
        from ..read.profile_prices import is_priced

        free = set(names) & {*(self.free or ())}
        refused: list[MooInferError] = []
        for name in names:
            listed = {"free": [name] if free else [], "per_million": self.per_million}
            try:
                return find_prices([name], self.prices, on, **listed)[name]  # type: ignore[arg-type]  # by name
            except MooInferError as error:
                refused.append(error)
        if not is_priced(profile):
            raise refused[-1]
        return None
