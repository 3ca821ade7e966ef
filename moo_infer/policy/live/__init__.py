"""Policies that run: questions answered live against endpoints, within budgets, every inference a row of a log."""

from ...core.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .inference import Endpoint, Inference
    from .openai_endpoint import OpenAIEndpoint
    from .outcome import Outcome, answer
    from .question import Question, read_questions

__all__ = ["Endpoint", "Inference", "OpenAIEndpoint", "Outcome", "Question", "answer", "read_questions"]

# Loaded when they are asked for: only the endpoint needs the package openai.
_WHERE = {
    "Endpoint": "inference",
    "Inference": "inference",
    "OpenAIEndpoint": "openai_endpoint",
    "Outcome": "outcome",
    "answer": "outcome",
    "Question": "question",
    "read_questions": "question",
}

__getattr__, __dir__ = lazily(globals(), _WHERE)
