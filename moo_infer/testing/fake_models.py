"""Two models for a fake endpoint: one of a known accuracy, and one that serves a log."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.errors import MooInferError
from .fake_replies import FakeRequest, Reply

if TYPE_CHECKING:  # they load NumPy, which takes longer than all else here
    from ..core.parts import AtLeastOne, Share

__all__ = ["LogAnswers", "SeededAnswers"]

SPREAD = 9  # wrong answers to a question of which nothing else is known
LETTERS = "ABCD"  # of a multiple choice


@dataclass(frozen=True)
class SeededAnswers:
    """A model that is right with a known probability, independently each time.

    Which texts are right depends on the seed, the model, the prompt and how often it was asked, not on who asked first:
    whatever the concurrency, runs are alike.

    Args:
        targets: the right answer by prompt, or a function of the request.
        p: probability in [0, 1] that a text is right, or a function of the request.
        seed: of the answers.
        wrong: how many wrong answers there are to a question, each as likely as the others. They are the next whole
            numbers where the target is one, other letters where it is one of A to D, else `not TARGET (1)`.

    >>> model = SeededAnswers({"6 x 7?": "42"}, p=0.8)
    >>> texts = [model(FakeRequest({"messages": [{"content": "6 x 7?"}]}, number=i)) for i in range(1000)]
    >>> texts.count("42") / 1000
    0.807
    """

    targets: Mapping[str, str] | Callable[[FakeRequest], str]
    p: "Share | Callable[[FakeRequest], float]" = 0.8
    seed: int = 0
    wrong: "AtLeastOne" = SPREAD

    def __post_init__(self) -> None:
        if not callable(self.p) and not 0 <= self.p <= 1:
            raise MooInferError(f"p: must be in [0, 1], got {self.p!r:.40}")
        if self.wrong < 1:
            raise MooInferError(f"wrong: must be at least 1, got {self.wrong!r:.40}")

    def __call__(self, request: FakeRequest) -> str:
        """Answer once."""
        target = self._target(request)
        p = self.p(request) if callable(self.p) else self.p
        key = f"{self.seed}\0{request.model}\0{request.number}\0{request.prompt}"
        drawn = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())
        u = drawn / 2**64
        if u < p:
            return target
        return _wrong(target, int((u - p) / (1 - p) * self.wrong), self.wrong)

    def _target(self, request: FakeRequest) -> str:
        if callable(self.targets):
            return self.targets(request)
        if request.prompt not in self.targets:
            raise MooInferError("targets have no such prompt; give a function that finds the question in it")
        return self.targets[request.prompt]


def _wrong(target: str, i: int, most: int) -> str:
    """Return wrong answer i of so many; rounding may make i one too large."""
    i = min(i, most - 1)
    try:
        return str(int(target) + 1 + i)
    except ValueError:
        others = [letter for letter in LETTERS if letter != target]
        return others[i % len(others)] if target in LETTERS and len(target) == 1 else f"not {target} ({i + 1})"


class LogAnswers:
    """A model that serves the samples of a log in their order, with their tokens; after the last the first again.

    Args:
        rows: of the neutral table: `model`, `question_id`, `answer`, `input_tokens`, `output_tokens`, and where they
            are known `sample` (the order), `cached_input_tokens`, `reasoning_tokens`, `latency_s`. An answer that is
            None is a choice without content.
        key: (model, question_id) of a request; by default its model, and its prompt.
        text: the column with the text that is sent.
        seconds_per_second: of delay, for every logged second of the slowest sample, >= 0.

    Raises:
        MooInferError: where the log has no samples of what is asked for.

    >>> log = [{"model": "small", "question_id": "6 x 7?", "answer": "42", "input_tokens": 9, "output_tokens": 3}]
    >>> LogAnswers(log)(FakeRequest({"messages": [{"content": "6 x 7?"}]}, model="small")).rows
    (0,)
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        key: Callable[[FakeRequest], tuple[str, str]] | None = None,
        *,
        text: str = "answer",
        seconds_per_second: float = 0.0,
    ) -> None:
        self.rows, self.key, self.text, self.seconds_per_second = rows, key, text, seconds_per_second
        self._at: dict[tuple[str, str], list[int]] = {}
        for i in sorted(range(len(rows)), key=lambda i: rows[i].get("sample") or 0):
            self._at.setdefault((rows[i]["model"], str(rows[i]["question_id"])), []).append(i)

    def __call__(self, request: FakeRequest) -> Reply:
        """Serve as many samples as are asked for."""
        model, question_id = self.key(request) if self.key else (request.model, request.prompt)
        numbers = self._at.get((model, str(question_id)))
        if not numbers:
            raise MooInferError(f"the log has no samples of model {model!r:.40} and question {question_id!r:.40}")
        served = tuple(numbers[(request.number + i) % len(numbers)] for i in range(request.n))
        rows = [self.rows[i] for i in served]
        seconds = max(row.get("latency_s") or 0.0 for row in rows) * self.seconds_per_second
        return Reply(
            tuple(row.get(self.text) for row in rows),
            prompt_tokens=rows[0].get("input_tokens"),
            completion_tokens=_sum(rows, "output_tokens"),
            cached_tokens=rows[0].get("cached_input_tokens") or 0,
            reasoning_tokens=_sum(rows, "reasoning_tokens") or 0,
            delay_s=seconds or None,
            rows=served,
        )


def _sum(rows: Sequence[Mapping[str, Any]], column: str) -> int | None:
    values = [row.get(column) for row in rows]
    return None if None in values else sum(int(value) for value in values if value is not None)
