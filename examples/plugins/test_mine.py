# examples/plugins/test_mine.py
from headroom import Headroom
from quorum import Quorum

from moo_infer.testing import AggregatorContract, SelectorContract


class TestHeadroom(SelectorContract):
    instances = (Headroom(0.0), Headroom(), Headroom(0.9))


class TestQuorum(AggregatorContract):
    instances = (Quorum(1), Quorum(), Quorum(5))
