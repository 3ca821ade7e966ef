"""The contract of each interface, as test classes that the author of a plugin subclasses.

Needs pytest. List your parts, and every test of the contract runs on each of them::

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
"""

from .aggregators import AggregatorContract
from .cost_models import CostModelContract
from .inference_models import InferenceModelContract
from .log_readers import LogReaderContract
from .models import MODELS
from .policies import PolicyContract
from .selectors import SelectorContract

__all__ = [
    "MODELS",
    "AggregatorContract",
    "CostModelContract",
    "InferenceModelContract",
    "LogReaderContract",
    "PolicyContract",
    "SelectorContract",
]
