"""What ``run`` and ``sample`` share: which models are called, how answers are read, money, files, and the result."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, printable, unknown
from ..core.files import refuse_unwritable
from ..interfaces import Policy
from ..profiles import ModelProfile
from ..read.profiles import load_models
from ..registry import Registry
from .files import keep_apart
from .loudness import LOG
from .options import registry_with
from .price_options import PriceOptions
from .progress import progress_bar
from .terminal import STOPPED, Answer

if TYPE_CHECKING:
    from ..policy.live.outcome import Judge
    from ..policy.live.question import Question
    from ..policy.live.tally import RunResult
    from ..read.price import Price

__all__ = ["CallOptions", "LiveSetup", "MoneyOptions"]


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """Which models are called, and how their answers are read."""

    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A model of the file; repeatable; default all.")
    ] = None
    extract: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="The answer in a text: text, last-number, boxed, letter, regex:PATTERN or FILE.py:function; default "
            "what the profile says, or text.",
        ),
    ] = None
    check: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="What is right: equal (to the target), the default, or FILE.py:function."),
    ] = None
    parallelism: Annotated[int, typer.Option(metavar="P", min=1, help="Requests on their way, over all questions.")] = 8
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of ties and random choices.")] = 0

    def profiles(self, path: Path | None, registry: Registry) -> dict[str, ModelProfile]:
        """Return all profiles of the file; raises for names that it does not have."""
        if path is None:
            raise MooInferError("--models: missing; a file whose models say how they are called (call:) is needed")
        profiles = load_models(path, registry)
        for name in self.model or ():
            if name not in profiles:
                raise unknown("model", name, profiles, str(path))
        return profiles

    def chosen(self, profiles: Mapping[str, ModelProfile]) -> dict[str, ModelProfile]:
        """Return the profiles that are named, or those that say how they are called."""
        if self.model:
            return {name: profiles[name] for name in dict.fromkeys(self.model)}
        return {name: profile for name, profile in profiles.items() if profile.call is not None}


@dataclass(frozen=True, kw_only=True)
class MoneyOptions:
    """Where it goes, and what it may cost."""

    out: Annotated[Path, typer.Option(metavar="LOG.jsonl", help="The log: a row an inference; calibrate reads it.")]
    budget: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="The whole run may cost this much, never more.")
    ] = None
    unpriced: Annotated[bool, typer.Option("--unpriced", help="Call models whose largest price is not known.")] = False
    keep_text: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Keep prompts and completions there, for you alone.")
    ] = None

    def refuse(self, read: Sequence[Path | None], answers: Path | None = None) -> None:
        """Raise before anything is done where files or budgets cannot be."""
        written = {"--out": self.out, "--answers": answers, "--keep-text": self.keep_text}
        keep_apart(read, *({flag: path} for flag, path in written.items() if path is not None))
        for flag, path in written.items():
            if path is not None and path.suffix.lower() != ".jsonl":
                raise MooInferError(f"{flag}: {path}: must end in .jsonl")
            if path is not None:
                refuse_unwritable(path)
        if self.budget == math.inf:
            raise MooInferError("--budget: must be a finite number of USD; without --budget nothing is bounded")
        if self.unpriced and self.budget is not None:
            raise MooInferError(
                "--budget and --unpriced exclude each other: without a largest price nothing is bounded"
            )


@dataclass(frozen=True, eq=False)
class LiveSetup:
    """Everything that is read before the first call.

    Args:
        questions: in the order of their file.
        profiles: all of the file of models.
        prices: by profile, those that were given.
        registry: where parts are looked up.
        calls, money: the options.
    """

    questions: "list[Question]"
    profiles: Mapping[str, ModelProfile]
    prices: "Mapping[str, Price]"
    registry: Registry
    calls: CallOptions
    money: MoneyOptions

    @classmethod
    def of(
        cls,
        questions: Path,
        models: Path | None,
        calls: CallOptions,
        money: MoneyOptions,
        pricing: PriceOptions,
        plugin_files: list[Path] | None,
    ) -> "LiveSetup":
        """Read questions, profiles and prices; refuse what could not be called."""
        from ..policy.live.packages import refuse_without_packages
        from ..policy.live.question import read_questions

        refuse_without_packages()
        pricing.refuse_without_prices()
        registry = registry_with(plugin_files)
        profiles = calls.profiles(models, registry)
        prices = pricing.by_profile(calls.chosen(profiles))
        return cls(read_questions(questions), profiles, prices, registry, calls, money)

    def refuse_uncallable(self, models: Sequence[str]) -> None:
        """Raise for models that cannot be called: for want of settings, an API key, or a key of a question's line."""
        from ..policy.live.transport import refuse_uncallable

        called = {name: self.profiles[name] for name in models}
        refuse_uncallable(called)
        for name, call in ((name, of.call) for name, of in called.items() if of.call):
            for question in self.questions:
                try:
                    call.messages(question.fields)
                except MooInferError as error:
                    raise MooInferError(f"{name}: call: {error}; question {question.id!r:.60}") from None

    def announce(self, models: Sequence[str], samples: int) -> None:
        """Say what sampling may cost at most, before it starts."""
        from ..policy.live.openai_endpoint import OpenAIEndpoint

        called = {name: self.profiles[name] for name in models}
        endpoint = OpenAIEndpoint(called, self._all_prices(called), unpriced=self.money.unpriced)
        asked = f"{len(self.questions)} questions x {len(models)} models x {samples} samples"
        each = [endpoint.largest_usd(name, question, samples) for name in models for question in self.questions]
        for name in models:
            if samples > 1 and (why := _alike(self.profiles[name])):
                LOG.warning("%s: %s, so that the samples of a question may all be alike", name, why)
        if None in each:
            LOG.warning("%s: no largest price is known", asked)
            return
        most = math.fsum(usd for usd in each if usd is not None)
        within = "" if self.money.budget is None else f", and no more than {self.money.budget:g} USD"
        LOG.warning("%s: %.6g USD at most%s, where nothing has to be tried again", asked, most, within)

    def judges(self, models: Sequence[str]) -> "dict[str, Judge]":
        """Return who reads and judges the texts of models."""
        from ..policy.live.outcome import judges

        return judges(models, self.calls.extract, self.calls.check, self.profiles)

    def go(
        self,
        command: str,
        policy: Policy,
        judges: "Mapping[str, Judge]",
        answers: Path | None = None,
        **limits: Any,
    ) -> "RunResult":
        """Run, or go on where the same run stopped."""
        from ..policy.live.prices import refuse_unpriced
        from ..policy.live.resume import Files, fingerprint
        from ..policy.live.run import LiveRun

        called = {name: self.profiles[name] for name in judges}
        prices = self._all_prices(called)
        if not self.money.unpriced:
            refuse_unpriced(called, prices)
        about = self._about(command, policy, called, prices, limits)
        files = Files(
            self.money.out,
            fingerprint(about),
            {name: of.variant for name, of in self.profiles.items()},
            answers,
            self.money.keep_text,
        )
        with progress_bar() as progress:
            return LiveRun(
                policy,
                self.questions,
                called,
                prices,
                judges,
                self.registry,
                files,
                parallelism=self.calls.parallelism,
                budget=self.money.budget,
                unpriced=self.money.unpriced,
                seed=self.calls.seed,
                told=lambda sentence: LOG.warning("%s", printable(sentence)),
                progress=progress,
                **limits,
            ).go()

    def _all_prices(self, called: Mapping[str, ModelProfile]) -> "dict[str, Price]":
        from ..read.profile_prices import price_of

        own = {name: price for name, profile in called.items() if (price := price_of(profile)) is not None}
        return own | {name: price for name, price in self.prices.items() if name in called}

    def _about(
        self,
        command: str,
        policy: Policy,
        called: Mapping[str, ModelProfile],
        prices: "Mapping[str, Price]",
        limits: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What makes this run: another one does not go on in its place."""
        from ..policy.tried import text_of

        return {
            "command": command,
            "questions": [question.fields for question in self.questions],
            "models": {
                name: [of.call.sent_hash, _with_content(of.call.extract)] for name, of in called.items() if of.call
            },
            "prices": {name: price.part for name, price in prices.items()},
            "policy": text_of(policy),
            "seed": self.calls.seed,
            "extract": _with_content(self.calls.extract),
            "check": _with_content(self.calls.check),
            "limits": limits,
        }

    def report(self, command: str, policy: str | None, result: "RunResult") -> dict[str, Any]:
        """Return the JSON of a run."""
        return {
            "schema": 1,
            "command": command,
            "policy": policy,
            **result.to_dict(),
            "budget_usd": self.money.budget,
            "out": str(self.money.out),
        }

    def answer(self, report: Mapping[str, Any], result: "RunResult", *, as_json: bool) -> Answer:
        """Return what a run says, and its exit code."""
        if result.stopped:
            LOG.warning("stopped: %s", printable(result.sentence))
        if result.tally.unjudged:
            LOG.warning(
                "--check judged no answer to %d questions, for the reasons that 'why' in the log has; accuracy is over "
                "the other %d",
                result.tally.unjudged,
                result.tally.judged,
            )
        code = 0 if result.stopped is None else 2 if result.stopped == "endpoint" else STOPPED
        return Answer(json.dumps(report, indent=2, allow_nan=False) if as_json else told(report), code)


def _alike(profile: ModelProfile) -> str:
    """Why a model may answer a question in the same words each time; "" where nothing says so."""
    call = profile.call
    if call is None:
        return ""
    if call.temperature == 0:
        return "its temperature is 0"
    return "a seed is sent with every request" if call.shape == "parallel" and "seed" in call.extra else ""


def _with_content(spec: str | None) -> Any:
    """A way to read answers, with a hash of the file where it is one: another function makes another run."""
    path = Path((spec or "").rpartition(":")[0])
    if spec is None or path.suffix != ".py" or not path.is_file():
        return spec
    return [spec.rpartition(":")[2], sha256(path.read_bytes()).hexdigest()]


def told(report: Mapping[str, Any]) -> str:
    """Say in words what a run came to."""
    lost, unanswered = report["lost"], report["unanswered"]
    done = "sampled" if report["command"] == "sample" else "answered"
    first = f"{report['answered']} of {report['questions']} questions {done}"
    first += "" if report["accuracy"] is None else f", accuracy {report['accuracy']:.4g}"
    lines = [
        f"{first}; {report['samples']} inferences in {report['requests']} requests, {report['spent_usd']:.6g} USD."
    ]
    if report["stopped"] in ("budget", "signal", "disk"):
        lines.append(f"Stopped ({report['stopped']}); the same command goes on.")
    if lost["requests"]:
        lines.append(f"{lost['requests']} requests brought no row and count {lost['usd']:.6g} USD.")
    if report["billed_usd"] < report["spent_usd"]:
        lines.append(f"By usage {report['billed_usd']:.6g} USD; the rest is the most that could be billed.")
    if unanswered:
        shown = ", ".join(printable(name) for name in unanswered[:5]) + (", ..." if len(unanswered) > 5 else "")
        lines.append(f"Without an answer: {shown}.")
    lines.append(f"The log is {printable(report['out'])}.")
    return "\n".join(lines)
