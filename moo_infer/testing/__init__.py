"""The contract of each interface, as test classes that the author of a plugin subclasses, and a fake endpoint.

The contracts need pytest. List your parts, and every test of the contract runs on each of them::

    from moo_infer.testing import SelectorContract

    class TestMine(SelectorContract):
        instances = (Mine(), Mine(share=0.3))

One part may come from the fixture of its kind instead (`selector`, `aggregator`, `cost_model`, `model`, `reader`,
`policy`). A test asks that every parameter with a default is set to something else in one of the instances.

Aggregators and cost models are asked **as the product asks them**, through the estimators: on queries that are all
alike, on lengths and difficulties that differ, on a log and on one with gaps (`MODELS`), at their parameters and at
three draws of them. Where a part needs a column that a model does not bring, the test is skipped. Give the fixture
`model` where yours needs others.

What a part does not promise is switched off with a class attribute (`scale_invariant`, `ignores_dominated`,
`efficient`, `monotone`, `nested`, `abstaining`, `recognising`, `truncating`).

`FakeEndpoint` is a server on this machine that answers as OpenAI's chat completions do, well or badly. It needs nothing
but Python.
"""

from ..core.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .aggregators import AggregatorContract
    from .cost_models import CostModelContract
    from .fake_endpoint import FakeEndpoint
    from .fake_faults import FAULTS
    from .fake_ledger import FakeExchange, Usage
    from .fake_models import LogAnswers, SeededAnswers
    from .fake_replies import FakeRequest, Reply
    from .inference_models import InferenceModelContract
    from .log_readers import LogReaderContract
    from .models import MODELS
    from .policies import PolicyContract
    from .selectors import SelectorContract

__all__ = [
    "FAULTS",
    "MODELS",
    "AggregatorContract",
    "CostModelContract",
    "FakeEndpoint",
    "FakeExchange",
    "FakeRequest",
    "InferenceModelContract",
    "LogAnswers",
    "LogReaderContract",
    "PolicyContract",
    "Reply",
    "SeededAnswers",
    "SelectorContract",
    "Usage",
]

# Imported when they are asked for: contracts need pytest, and most of moo_infer; a fake endpoint does not.
_WHERE = {
    "FAULTS": "fake_faults",
    "MODELS": "models",
    "AggregatorContract": "aggregators",
    "CostModelContract": "cost_models",
    "FakeEndpoint": "fake_endpoint",
    "FakeExchange": "fake_ledger",
    "FakeRequest": "fake_replies",
    "InferenceModelContract": "inference_models",
    "LogAnswers": "fake_models",
    "LogReaderContract": "log_readers",
    "PolicyContract": "policies",
    "Reply": "fake_replies",
    "SeededAnswers": "fake_models",
    "SelectorContract": "selectors",
    "Usage": "fake_ledger",
}

__getattr__, __dir__ = lazily(globals(), _WHERE)
