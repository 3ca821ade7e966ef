from moo_infer_example import FewestSamples

from moo_infer import Pipeline, Registry, Selector
from moo_infer.testing import SelectorContract


class TestFewestSamples(SelectorContract):
    efficient = False  # it looks at k, which is no objective
    instances = (FewestSamples(),)


def test_is_found_where_it_is_installed():
    assert Registry().get(Selector, "fewest-samples") == FewestSamples()


def test_takes_the_smallest_k():
    report = Pipeline(selectors="fewest-samples").run(["gpt-5", "qwen3-max"], "medical-ai")
    assert (report["fewest-samples"].model, report["fewest-samples"].k) == ("gpt-5", 28)
