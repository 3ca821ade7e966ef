"""Labels of the questions of logs: which there are, and what is odd in them."""

from collections.abc import Sequence

from ..core.errors import MooInferError, unknown
from .samples import Samples

__all__ = ["TASK", "label_named", "labels_by_question", "several_tasks"]

TASK = "task"
SHOWN = 3  # values in a sentence


def label_named(logs: Sequence[Samples], name: str, /) -> str:
    """Return the name of a label where a log has it.

    Raises:
        MooInferError: listing those there are.

    >>> label_named([Samples("mine", ["a"], [0], [1.0], labels={"task": ["sums"]})], "task")
    'task'
    """
    there = {label for log in logs for label in log.labels}
    if name in there:
        return name
    if there:
        raise unknown("label", name, there)
    raise MooInferError(
        f"unknown label {name!r}: the logs have none; a column of short texts that all rows of a question share, such "
        "as task, is one"
    )


def labels_by_question(logs: Sequence[Samples], /) -> dict[str, dict[str, str]]:
    """Return the labels of each question that has some; where logs differ, the first that knows one counts.

    >>> log = Samples("mine", ["a", "b"], [0, 1], [1.0, 0.0], labels={"task": ["maths", ""]})
    >>> labels_by_question([log, Samples("other", ["b"], [0], [1.0], labels={"task": ["law"]})])
    {'a': {'task': 'maths'}, 'b': {'task': 'law'}}
    """
    found: dict[str, dict[str, str]] = {}
    for log in logs:
        for name, values in log.labels.items():
            for question, value in zip(log.questions, values, strict=True):
                if value:
                    found.setdefault(question, {}).setdefault(name, value)
    return found


def several_tasks(logs: Sequence[Samples], name: str | None, /) -> list[str]:
    """Say which values of a label stand in several tasks, where they may mean something else in each.

    >>> labels = {"task": ["maths", "law"], "level": ["easy", "easy"]}
    >>> several_tasks([Samples("mine", ["a", "b"], [0, 1], [1.0, 0.0], labels=labels)], "level")
    ['level easy stands in several tasks, whose questions are taken together']
    """
    if name is None or name == TASK:
        return []
    tasks: dict[str, set[str]] = {}
    for log in logs:
        for value, task in zip(log.labels.get(name, ()), log.labels.get(TASK, ()), strict=False):
            if value and task:
                tasks.setdefault(value, set()).add(task)
    several = [value for value, of in tasks.items() if len(of) > 1]
    if not several:
        return []
    listed = ", ".join(several[:SHOWN]) + (f" and {len(several) - SHOWN} others" if len(several) > SHOWN else "")
    stand = "stands" if len(several) == 1 else "stand"
    return [f"{name} {listed} {stand} in several tasks, whose questions are taken together"]
