"""What a price list has of a model: which entry is meant by the name in a log, and what it says."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..core.arrays import BoolArray, FloatArray
from .hours import ByLength

__all__ = [
    *("CACHED", "INPUT", "OUTPUT", "REASONING", "USD", "WRITE"),
    *("Entry", "Names", "PriceList", "Unpriced", "checksum", "same_name", "served"),
]


USD = (INPUT, OUTPUT, CACHED, WRITE) = (
    *("usd_per_input_token", "usd_per_output_token"),
    *("usd_per_cached_input_token", "usd_per_cache_write_token"),
)
# Dates and stages at the end of a name: gpt-5-nano-2025-08-07, claude-sonnet-4-20250514, gpt-4-0314, grok-3-beta.
STAGE = re.compile(r"([-.@](\d{4}-\d\d-\d\d|\d{8}|\d{6}|\d\d-\d\d|\d{3,4}|latest|preview|beta|exp|0))+$")
TRIAL = re.compile("preview|beta|exp")  # of these stages, those that have prices of their own
# Who serves a model, where logs put that behind its maker: openai/azure/gpt-4o, anthropic/bedrock/claude-...
CLOUDS = ("aws", "azure", "azure_ai", "azureai", "bedrock", "foundry", "vertex", "vertex_ai")
SHOWN = 4  # entries in a message
REASONING = "reasoning_tokens"
HAVE = {  # by the column of a log, what samples have that exceed a number there
    "input_tokens": "prompts of more than {:g} tokens",
    "cached_input_tokens": "input that was read from a cache",
    "cache_write_tokens": "input that was written to a cache",
    REASONING: "reasoning tokens, or do not say how many",
}


@dataclass(frozen=True)
class Unpriced:
    """Samples that an entry has no price for, although it has one for others.

    Args:
        over: the columns of a log that tell them, and the number of tokens that they exceed in all of these. Samples
            that do not say how many of their tokens were reasoning may exceed any; other tokens that are not named
            are none.
        why: there is no price, in words.

    >>> case = Unpriced({"input_tokens": 900, "reasoning_tokens": 0}, "nobody knows")
    >>> case.among({"input_tokens": np.array([500.0, 1000, 1000]), "reasoning_tokens": np.array([7, 0, np.nan])})
    array([False, False,  True])
    >>> case.have
    'prompts of more than 900 tokens and reasoning tokens, or do not say how many'
    """

    over: Mapping[str, float]
    why: str

    def among(self, tokens: Mapping[str, FloatArray], /) -> BoolArray:
        """Which samples they are, (N,), given tokens (N,) by column; ``input_tokens`` is there."""
        found = np.ones(np.shape(tokens["input_tokens"]), dtype=bool)
        for name, most in self.over.items():
            given = tokens.get(name, np.full(found.shape, np.nan))
            found &= (given > most) | (np.isnan(given) & (name == REASONING))
        return found

    @property
    def have(self) -> str:
        """What these samples have, in words."""
        return " and ".join(HAVE[name].format(most) for name, most in self.over.items())


@dataclass(frozen=True)
class Entry:
    """An entry of a price list.

    Args:
        name: what the list calls it.
        lists: USD per token by field, by the prompt length above which they hold; -1: any. At the dearest hours.
        usd_per_request: USD for every request beside its tokens.
        min_cacheable_tokens: the least prompt that is cached, where the list says it.
        remarks: what the list says beside that, in words.
        foreign: the provider whose entry it is, where the log names another or none.
        hours: how many hours of the week the prices hold, in words, where they depend on the hour.
        other_hours: other hours in words, and what holds then.
        unpriced: samples for which it has no price.
    """

    name: str
    lists: ByLength
    usd_per_request: float = 0.0
    min_cacheable_tokens: float | None = None
    remarks: tuple[str, ...] = ()
    foreign: str = ""
    hours: str = ""
    other_hours: tuple[tuple[str, ByLength], ...] = ()
    unpriced: tuple[Unpriced, ...] = ()


@dataclass(frozen=True)
class PriceList:
    """A price list.

    Args:
        title: list, version and date, in words.
        names: of its entries.
        look_up: takes a model's name; gives the entry for it, or why there is none with a price, or None.
    """

    title: str
    names: Sequence[str]
    look_up: Callable[[str], Entry | str | None]

    def without(self, reasons: Mapping[str, str | None], /) -> str:
        """Say of which models it has no price, and why; with the closest names where the reason is None."""
        close = {m: get_close_matches(m, self.names, n=3) for m, reason in reasons.items() if reason is None}
        models = [f"{m} (closest: {', '.join(close[m])})" if close.get(m) else m for m in reasons]
        details = [f"{m}: {why}" if len(reasons) > 1 else why for m, why in reasons.items() if why is not None]
        return f"no price of {', '.join(models)} in {self.title}" + (f": {'; '.join(details)}" if details else "")


@dataclass(frozen=True)
class Names:
    """The entries of a list by who serves the model, and by what that provider calls it.

    Args:
        entries: provider and name of the model there, by the name of the entry.
        providers: what a list calls a provider, by what logs call it; others that sell the same come behind it.
        alike: whether entries have the same prices.
    """

    entries: Mapping[str, tuple[str, str]]
    providers: Mapping[str, Sequence[str]]
    alike: Callable[[Sequence[str]], bool]

    def find(self, model: str, /) -> tuple[str, str] | str | None:
        """Return the entry for a model of a log and its provider, where the log does not name that; else "".

        Text says why none of several can be meant; None where there is none.
        """
        if model in self.entries:
            return model, ""
        provider, rest = served(model)
        maker = model.partition("/")[0]
        asked = [owner for label in dict.fromkeys((provider, maker)) if label for owner in self._called(label)]
        for owner in asked if provider else ():
            own = {name: bare for name, (theirs, bare) in self.entries.items() if theirs == owner}
            if hits := self._matching(own, rest):
                foreign = "" if owner == asked[0] else owner
                return (hits[0], foreign) if len(hits) == 1 or self.alike(hits) else _several(hits)
        own = {name: bare for name, (_, bare) in self.entries.items() if "/" not in name}  # those of the makers
        whole = {name: name.partition("/")[2] for name in self.entries}
        for names in (own, whole):
            if hits := self._matching(names, model):
                if len({self.entries[name][0] for name in hits}) > 1 or not (len(hits) == 1 or self.alike(hits)):
                    return _several(hits)
                return hits[0], "" if names is own else self.entries[hits[0]][0]
        return None

    def twins(self, entry: str, /) -> list[str]:
        """Return other entries of the same provider and model that have other prices."""
        same = [name for name, theirs in self.entries.items() if name != entry and theirs == self.entries[entry]]
        return [name for name in same if not self.alike([entry, name])]

    def _called(self, provider: str) -> Sequence[str]:
        return self.providers.get(provider.lower(), (provider.lower(),))

    @staticmethod
    def _matching(names: Mapping[str, str], model: str) -> list[str]:
        """Entries with that name of a model, or else with one that differs in date and stage alone."""
        for plain in (str.lower, _plain):
            if hits := [name for name, bare in names.items() if plain(bare) == plain(model)]:
                return hits
        return []


def checksum(path: Path, /) -> str:
    """Return the beginning of a file's SHA-256, for titles of lists without versions."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def served(model: str, /) -> tuple[str | None, str]:
    """Return who serves a model, as a log has it in the name, and what is left of the name.

    >>> served("openai/azure/gpt-4o"), served("acme/small"), served("small")
    (('azure', 'gpt-4o'), ('acme', 'small'), (None, 'small'))
    """
    first, *others = model.split("/")
    if not others:
        return None, model
    if len(others) > 1 and (others[0].lower() in CLOUDS or first == "openai-api"):
        return others[0], "/".join(others[1:])
    return first, "/".join(others)


def same_name(model: str, entry: str, /) -> bool:
    """Whether two names mean one model: they differ by provider, and by a date that one of them has, at most.

    >>> same_name("openai/gpt-4o-2024-08-06", "gpt-4o"), same_name("gpt-4o-2024-08-06", "gpt-4o-2024-05-13")
    (True, False)
    >>> same_name("gemini-9-preview-05-20", "gemini-9"), same_name("gemini-1.5-flash-8b", "gemini-1.5-flash")
    (False, False)
    """
    names = [name.rpartition("/")[2].lower().replace(".", "-") for name in (model, entry)]
    stages = [match[0] if (match := STAGE.search(name)) else "" for name in names]
    trials = [TRIAL.findall(stage) for stage in stages]
    dates = [re.findall(r"\d{3,}(?:-\d\d)*|\d\d-\d\d", stage) for stage in stages]
    return _plain(names[0]) == _plain(names[1]) and trials[0] == trials[1] and (not all(dates) or dates[0] == dates[1])


def _plain(name: str) -> str:
    """A model's name without dates and stages."""
    return STAGE.sub("", name.lower().replace(".", "-"))


def _several(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"it may be any of {shown}, whose providers or prices differ; name it as the list does"
