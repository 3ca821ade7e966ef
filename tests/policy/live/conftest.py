import asyncio
import signal

import pytest

from moo_infer.policy.live.outcome import LiveQuery, judges
from moo_infer.policy.live.question import Question

PATIENCE_S = 20.0  # of a test for what must not wait for ever


@pytest.fixture
def interruptible():
    """An interrupt is one, also where a shell that runs the tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def live(registry):
    """Run a policy on one question against an endpoint; the outcome."""

    def run(policy, endpoint, query="What is 3 + 4?", before=(), extract=None, check=None, record=None, **limits):
        own = judges(policy.most, extract, check)
        told = {} if record is None else {"record": record}
        going = LiveQuery(policy, endpoint, own, registry, **told).outcome(Question.of(query), before, **limits)
        return asyncio.run(asyncio.wait_for(going, PATIENCE_S))

    return run
