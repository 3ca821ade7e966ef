"""The contract of every registered class, built-in or from an installed plugin."""

import textwrap
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from log_writers import FORMATS, truth

from moo_infer import (
    AccuracyAggregator,
    CostModel,
    Exact,
    InferenceModel,
    LogReader,
    MissingColumn,
    ModelProfile,
    Policy,
    Registry,
    Selector,
)
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.builtin.selectors import Knee, MaxAccuracy
from moo_infer.builtin.stages import Accepted
from moo_infer.calibrate import read_log
from moo_infer.core.errors import NothingPossible
from moo_infer.core.files import head
from moo_infer.testing import (
    MODELS,
    AggregatorContract,
    CostModelContract,
    InferenceModelContract,
    LogReaderContract,
    PolicyContract,
    SelectorContract,
)

REGISTRY = Registry()
LOG = Path(__file__).parents[2] / "examples" / "log.csv"
GAUSSIAN = "tokens_in_mean={},tokens_in_std={},tokens_out_mean={},tokens_out_std={},accuracy_mean={},accuracy_std={}"
CALL = "seconds_per_input_token=1e-4,seconds_per_output_token=1e-3"
NOISY = {"seconds_per_input_token": 1e-4, "seconds_per_output_token": 1e-3, "ratios": [0.6, 0.9, 1.0, 1.1, 1.8]}
MEASURED = "largest_measured_batch=1000,largest_measured_context=100000,largest_measured_prompt=90000"
STEPS = [
    "joules_per_output_token=0.07,joules_per_decode_step=3,joules_per_context_token=2e-5,joules_per_prefill=3,"
    f"prefill=each,idle_watts=140,idle_seconds=2,{MEASURED}",
    {
        "joules_per_output_token": 0.07,
        "joules_per_decode_step": 3,
        "batch_sizes": [1, 2, 4, 8, 16],
        "context_bucket": 4096,
    },
]
JUDGED = MODELS["a log"].queries().samples
JUDGED = Empirical(replace(JUDGED, columns={**JUDGED.columns, "unsafe": 1 - JUDGED.correct}), judged={"unsafe": "down"})
# Parameters of every part for the tests: each that has a default is set to something else at least once.
GIVEN = {
    "gaussian": [GAUSSIAN.format(1024, 64, 2048, 128, 0.94, 0.02), GAUSSIAN.format(2, 3, 5, 0, 0.9, 0.3)],
    "lognormal": [
        "tokens_in_mean=500,tokens_out_mean=2000,accuracy_mean=0.8,tokens_out_cv_within=0.5,max_tokens=2500",
        "tokens_in_mean=500,tokens_in_cv=0.5,tokens_out_mean=2000,tokens_out_cv_between=0.8,accuracy_mean=0.8,accuracy_std=0.1",
    ],
    "beta": [
        "a=0.5,b=1.5",
        "a=2,b=3,unsolvable=0.1,tokens_in_mean=500,tokens_out_mean=2000,tokens_out_cv_within=0.3,max_tokens=2500",
        "mean=0.4,concentration=3,wrong_agreement=0.2,tokens_in_mean=400,tokens_in_cv=0.3,tokens_out_mean=600,tokens_out_cv_between=0.5",
    ],
    "difficulty-classes": [
        {"shares": [0.6, 0.4], "p": [0.85, 0.4], "tokens_in_mean": 500, "tokens_out_mean": 90},
        {"shares": [1.0], "p": [0.3], "tokens_in_mean": 500, "tokens_in_cv": 0.3, "tokens_out_mean": 1500,
         "tokens_out_cv_between": 0.4, "tokens_out_cv_within": 0.3, "max_tokens": 2500},
    ],
    "empirical": [MODELS["a log"], MODELS["a log with gaps"], Empirical(LOG, "acme/large", sha256(LOG.read_bytes()).hexdigest(), doubt="answers chose its questions", cut_from="acme/larger"), JUDGED],
    "logged-latency": ["calls=at-once", "calls=slots", "calls=sequential"],
    "linear-cost": ["usd_per_input_token=1e-6,usd_per_output_token=1e-5"],
    "api-cost": [
        *(
            f"usd_per_input_token=1.25e-6,usd_per_output_token=1e-5,reasoning_tokens_per_output_token=0.5,calls={calls}"
            for calls in (
                *("n", "parallel", "sequential"),
                "cached,usd_per_cached_input_token=1e-7,min_cacheable_tokens=0",
                "parallel-writes,usd_per_cache_write_token=1.5e-6,min_cacheable_tokens=0",
                "n,n_max=3,usd_per_request=1e-4",
                "batch",
            )
        ),
        "usd_per_input_token=1e-6,usd_per_output_token=4e-6,calls=cached,usd_per_cached_input_token=1e-7,"
        "usd_per_cache_write_token=1.25e-6,reasoning_tokens=300,batch_discount=0.5,min_cacheable_tokens=0",
        # From here on the bill jumps or bends within the lengths of the models, all of which are cut at 2500 if at all.
        *(
            {"usd_per_input_token": 1e-6, "usd_per_output_token": 4e-6, "usd_per_cached_input_token": 1e-7, "calls": calls,
             "min_cacheable_tokens": 0,
             "long_context": [{"above_input_tokens": 300, "usd_per_input_token": 2e-6, "usd_per_output_token": 6e-6}]}
            for calls in ("n", "parallel", "cached")
        ),
        *(
            "usd_per_input_token=1e-6,usd_per_output_token=4e-6,usd_per_cached_input_token=1e-7,"
            f"usd_per_cache_write_token=1.25e-6,{more}"
            for more in (
                "calls=cached,min_cacheable_tokens=450",
                "calls=parallel-writes,usd_per_request=1e-4",
                "cached_input_share=0.6,min_cacheable_tokens=450",
                "cached_input_share=0.3,cache_write_share=0.5,min_cacheable_tokens=450",
                "max_tokens=2500,reasoning_tokens_per_output_token=1.5,reasoning_tokens=100,usd_per_request=1e-4",
                "max_tokens=2500,calls=n,n_max=3",
            )
        ),
    ],
    "gpu-cost": [
        "usd_per_gpu_hour=2.5,output_tokens_per_second=900,gpus=2",
        "usd_per_gpu_hour=2.5,itl_base_s=0.0065,itl_per_sequence_s=7.9e-5,batch=64",
    ],
    "loaded": [
        "queries_per_second=0.1,mean_tokens_in=1024,mean_tokens_out=2048,itl_base_s=0.007,itl_per_sequence_s=4e-5",
        "queries_per_second=0.5,mean_tokens_in=500,mean_tokens_out=900,itl_base_s=0.007,itl_per_sequence_s=4e-5,"
        "prefill_base_s=0.005,prefill_per_token_s=2e-6,max_batch=40,max_queue=50",
        "queries_per_second=0.1,mean_tokens_in=1024,mean_tokens_out=2048,itl_base_s=0.007,itl_per_sequence_s=4e-5,"
        "calls_per_query=3",
        "queries_per_second=0.1,mean_tokens_in=1024,mean_tokens_out=2048,itl_base_s=0.007,itl_per_sequence_s=4e-5,"
        "itl_per_context_token_s=4e-8",
        "queries_per_second=0.1,mean_tokens_in=1024,mean_tokens_out=2048,itl_base_s=0.007,itl_per_sequence_s=4e-5,"
        "itl_per_context_token_s=4e-8,context_bucket=4096",
        {
            "queries_per_second": 0.1, "mean_tokens_in": 1024, "mean_tokens_out": 2048, "itl_base_s": 0.007,
            "itl_per_sequence_s": 4e-5, "itl_per_context_token_s": 4e-8, "batch_sizes": [1, 2, 4, 8, 16, 32],
        },
    ],
    "rate-limited": [
        f"{CALL},requests_per_minute=60,burst=0.1",
        f"{CALL},tokens_per_minute=9000,overhead_s=0.3",
        f"{CALL},input_tokens_per_minute=9000,output_tokens_per_minute=3000,reserved_output_tokens=4096,"
        "uncounted_input_tokens=100",
        {**NOISY, "requests_per_minute": 60},
    ],
    "erlang-c": [
        "queries_per_second=0.2,slots=32,seconds=10",
        "queries_per_second=0.2,slots=8,seconds=10,calls_per_query=3",
    ],
    "batch-window": ["", {"seconds": [60.0, 3600.0, 86400.0]}],
    "cold-start": ["seconds=20"],
    "fixed-cost": [
        "objective=compute,per_deployment=1e22,per_query=1e9",
        "per_deployment=5000,per_query=0.01,per_batch=0.002,batch=3,reserved_gpu=true",
    ],
    "linear-flops": ["active_parameters=3.6e9", "active_parameters=3.6e9,count_prompt=false"],
    "linear-latency": [CALL],
    "batch": [
        "itl_base_s=0.0065,itl_per_sequence_s=7.9e-05,ttft_seconds=0.2,other_sequences=8",
        "itl_base_s=0.0065,itl_per_sequence_s=0,ttft_seconds=0.2,prefill=each",
        f"itl_base_s=0.0065,itl_per_sequence_s=7.9e-05,itl_per_context_token_s=4e-8,prefill_per_token_s=2e-5,{MEASURED}",
        {"itl_base_s": 0.0065, "itl_per_sequence_s": 7.9e-05, "itl_per_context_token_s": 4e-8, "other_sequences": 3,
         "batch_sizes": [1, 2, 4, 8, 16], "context_bucket": 4096},
    ],
    "sequential": [f"{CALL},overhead_s=0.3", NOISY],
    "slowest-of-k": [f"{CALL},overhead_s=0.3", NOISY],
    "slots": [f"{CALL},overhead_s=0.3", NOISY],
    "token-energy": ["joules_per_input_token=0.01,joules_per_output_token=0.4"],
    "batch-energy": [
        "joules_per_output_token=0.07,joules_per_decode_step=3",
        "joules_per_output_token=0.07,joules_per_decode_step=3,joules_per_input_token=0.01,other_sequences=8",
        *STEPS,
    ],
    "carbon": [
        "joules_per_output_token=0.07,grid_gco2_per_kwh=400",
        "joules_per_output_token=0.07,grid_gco2_per_kwh=400,joules_per_decode_step=3,pue=1.2",
        "joules_per_output_token=0.07,grid_gco2_per_kwh=400,joules_per_decode_step=3,joules_per_input_token=0.01,other_sequences=8",
        f"grid_gco2_per_kwh=400,{STEPS[0]}",
        {"grid_gco2_per_kwh": 400, **STEPS[1]},
    ],
    "verifier": [
        "tpr=0.9,fpr=0.1",
        "tpr=0.9,fpr=0.1,fallback=last,usd_per_input_token=1e-7,usd_per_output_token=1e-6,seconds_per_input_token=1e-4,"
        "seconds_per_output_token=0.01,instruction_tokens=200,verdict_tokens=5",
    ],
    "noisy-score": [
        "rho=0.5",
        "rho=0.5,usd_per_input_token=1e-7,usd_per_output_token=1e-6,seconds_per_input_token=1e-4,"
        "seconds_per_output_token=0.01,instruction_tokens=200,verdict_tokens=5",
    ],
    "net-value": ["usd_per_right_answer=50,usd_per_second=0.001,usd_per_wrong_answer=2"],
    "max-lower-bound": ["", "confidence=0.8"],
    "asf": ["", {"weights": {"accuracy": 3}}],
    "pseudo-weights": ["", {"weights": {"accuracy": 3}}],
    "weighted-sum": ["", {"weights": {"accuracy": 3}}],
    "cheapest-within": ["", "within=0.02,standard_errors=1,by=latency"],
    "fall-back": ["", {"selectors": [Knee(), MaxAccuracy()]}],
    "kneedle": ["", "sensitivity=2"],
    "topsis": ["", {"weights": {"accuracy": 3}}],
    "vikor": ["", {"weights": {"accuracy": 3}, "v": 0.3}],
    "promethee-ii": ["", {"weights": {"accuracy": 3}, "indifference": 0.1, "preference": 0.3}],
    "spotis": ["", {"weights": {"accuracy": 3}}],
    "fixed": ["k=1", "k=5,aggregator=top-score,model=mine", {"k": 2, "aggregator": {"kind": "one-call"}}],
    "vote-until-decided": ["", "k=7,waves=[4, 2, 1],model=mine", "k=5,arrivals=true,cancelled_billed=none"],
    "two-then-more": ["", "k=5,model=mine", "k=1"],
    "adaptive-consistency": ["", "threshold=0.8,k=9,waves=[3, 2],prior=dirichlet,model=mine"],
    "windows": ["", "window=2,k=7,model=mine"],
    "two-rounds": ["", "first=3,more=5,threshold=0.7,model=mine"],
    "first-accepted": ["", "k=3,score_above=0.5,model=mine", "stages=[{model: a, k: 2}, {model: b}]",
                       "true_positive=0.9,false_positive=0.1"],
    "reservation": [
        {"price": 0.1, "scores": {"low": 0.0, "high": 1.0}},
        {"price": 0.1, "scores": [0.1, 0.5, 0.9], "k": 3, "model": "mine"},
        {"models": [{"model": "a", "price": 0.1, "scores": {"mean": 0.5, "std": 0.1}}, {"model": "b", "price": 0.01, "k": 2, "scores": [0.1, 0.8]}]},
    ],
    "worth-it": [
        "value=1,prior=[0.5, 1.5],price=0.1",
        "value=1,prior=[0.5, 1.5],price=0.1,k=3,score_above=0.5,model=mine",
        "value=1,prior=[0.5, 1.5],price=0.1,true_positive=0.9,false_positive=0.1",
    ],
    "by-label": [
        "label=task,policies={maths: {kind: fixed, k: 3}},otherwise={kind: two-then-more}",
        "label=task,policies={maths: {kind: fixed, k: 3}},otherwise={kind: fixed, k: 1, model: a},model=mine",
    ],
    "by-load": [
        "loads=[{up_to: 0.2, policy: {kind: fixed, k: 3}}],otherwise={kind: two-then-more}",
        "loads=[{up_to: 1, policy: {kind: fixed, k: 1, model: a}}, {up_to: 0.5, policy: {kind: fixed, k: 2}}],"
        "otherwise={kind: fixed, k: 1},model=mine",
    ],
    "cascade": [
        "first={model: a, k: 2},then={model: b}",
        "first=[{model: a}, {model: c, k: 2}],then={model: b, k: 3},agree=2",
        "first={model: a, k: 2},then={model: b},score_above=0.7",
    ],
}  # fmt: skip


def registered(kind, *, but=(), only=None):
    """Every registered class of a kind, whoever registered it."""
    names = [name for name in only or REGISTRY.names(kind) if name not in but]
    return [made(kind, name, given) for name in names for given in GIVEN.get(name, [""])]


def built_in(kind):
    """Every registered class of a kind but those of packages, which keep their contracts in tests of their own."""
    return [part for part in registered(kind) if type(part).__module__.startswith("moo_infer.")]


def made(kind, name, given):
    """A part from what is written behind the colon, or from a mapping where its fields are lists."""
    if not isinstance(given, str | dict):
        return given
    if isinstance(given, dict):
        return REGISTRY.build(kind, {"kind": name, **given}, name)
    return REGISTRY.get(kind, f"{name}:{given}")


OTHERS = {
    "cut normal lengths": made(InferenceModel, "gaussian", GIVEN["gaussian"][1]),
    "some levels, all cut": made(InferenceModel, "lognormal", GIVEN["lognormal"][0]),
    "no tokens": made(InferenceModel, "beta", GIVEN["beta"][0]),
    "answers that agree": made(InferenceModel, "beta", GIVEN["beta"][2]),
}


class TestSelectors(SelectorContract):
    instances = registered(Selector, but=["net-value", "max-lower-bound", "fewest-samples"])


class TestMaxLowerBound(SelectorContract):
    efficient = ignores_dominated = False  # a row that is worse in its means and better known can have the higher bound
    instances = registered(Selector, only=["max-lower-bound"])


class TestNetValue(SelectorContract):
    scale_invariant = False  # it weighs dollars against right answers: cents are another price
    instances = registered(Selector, only=["net-value"])


class TestFewestSamples(SelectorContract):
    efficient = False  # it looks at k, which is no objective
    instances = registered(Selector, only=["fewest-samples"])


class TestAggregators(AggregatorContract):
    instances = built_in(AccuracyAggregator)

    @pytest.fixture(params=[*MODELS.values(), JUDGED], ids=[*MODELS, "a log, judged"])
    def model(self, request):
        return request.param


# Other laws of what is right: numbers of aggregators are looked at, what they do with draws was seen on those before.
@pytest.mark.parametrize("model", OTHERS, ids=str)
@pytest.mark.parametrize("aggregator", built_in(AccuracyAggregator), ids=str)
def test_aggregators_keep_their_contract_on_other_laws(aggregator, model):
    contract = AggregatorContract()
    contract.test_accuracies_are_shares(aggregator, OTHERS[model])
    contract.test_exact_agrees_with_simulation(aggregator, OTHERS[model])
    contract.test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(aggregator, OTHERS[model])


class TestAccepted(AggregatorContract):
    instances = (Accepted(), Accepted(0.3), Accepted(true_positive=0.9, false_positive=0.1))


class TestCostModels(CostModelContract):
    instances = built_in(CostModel)


@pytest.mark.parametrize("model", OTHERS, ids=str)
@pytest.mark.parametrize("cost_model", built_in(CostModel), ids=str)
def test_cost_models_keep_their_contract_on_other_laws(cost_model, model):
    contract = CostModelContract()
    contract.test_totals_are_finite_and_grow(cost_model, OTHERS[model])
    contract.test_exact_agrees_with_simulation(cost_model, OTHERS[model])
    contract.test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(cost_model, OTHERS[model])


class TestInferenceModels(InferenceModelContract):
    instances = registered(InferenceModel)


class TestPolicies(PolicyContract):
    instances = registered(Policy)
    query = MappingProxyType({"task": "maths", "queries_per_second": 0.4})  # for those by label, and by load


EXACT = Path(__file__).parents[1] / "golden" / "exact.csv"
ALIKE = {
    "fixed lengths": Gaussian(1024, 0, 2048, 0, 0.6, 0.1),
    "two levels": LognormalLengths(
        tokens_in_mean=500, tokens_out_mean=900, tokens_out_cv_between=0.5, tokens_out_cv_within=0.3, accuracy_mean=0.8
    ),
}


def labelled(part):
    """The name of a part and what differs from its defaults, so that a new parameter changes no line."""
    given = [f"{f.name}={getattr(part, f.name)!r}" for f in fields(part) if getattr(part, f.name) != f.default]
    return f"{part.name}({', '.join(given)})"


def what_is_exact():
    """A line for each part, model and P: which statistics of its objective are known without simulation."""
    lines = ["part,model,parallelism,exact"]
    for part in (*registered(AccuracyAggregator), *registered(CostModel)):
        costs, aggregator = ((part,), OneCall()) if isinstance(part, CostModel) else ((), part)
        name = part.objective.name if costs else "accuracy"
        for label, model in {**MODELS, **ALIKE}.items():
            for parallelism in (1, 4, 16):
                try:
                    curve = Exact(trials=64).estimate(
                        ModelProfile("golden", model, costs), aggregator, np.array([1, 4, 16]), parallelism
                    )
                    simulated = {"quantile" if s in ("low", "high") else s for s in curve.columns[name].simulated}
                    exact = " ".join(s for s in ("mean", "std", "quantile") if s not in simulated) or "simulated"
                except (MissingColumn, NothingPossible) as error:
                    exact = type(error).__name__
                lines.append(f'"{labelled(part)}",{label},{parallelism},{exact}')
    return "\n".join(lines) + "\n"


def test_what_is_exact_stays_exact():
    """Nothing falls out in silence; what is newly exact is written down by running this file as a script."""
    assert what_is_exact().splitlines() == EXACT.read_text(encoding="utf-8").splitlines()


LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
# A file for every log reader, or who writes one, with parameters for the test.
FILES = {
    "bigcodebench": [("bigcodebench", "")],
    "livecodebench": [("livecodebench", ""), ("livecodebench-execution", "")],
    "nemo-skills": [("nemo-skills", "metric=symbolic_correct"), ("nemo-skills-judged", "")],
    "openai-evals": [("openai-evals", "metric=match")],
    "evalplus": [("toy_eval_results.json", ""), ("toy_eval_results.json", "tests=base"), ("evalplus-2023", "")],
    "human-eval": [("toy_samples.jsonl_results.jsonl", "")],
    "inspect-ai": [("arithmetic.eval", ""), ("letters.json", ""), ("scorers.json", "scorer=match")],
    "lm-eval": [("lm-eval/maker__dummy/samples_sums_*", "filter=each")],
    "table": [("table.csv", ""), ("table.jsonl", ""), ("table.parquet", ""), ("table.csv.gz", "")],
}


class TestLogReaders(LogReaderContract):
    @pytest.fixture(
        params=[(name, *given) for name in REGISTRY.names(LogReader) for given in FILES[name]],
        ids=lambda p: ":".join(p),
    )
    def given(self, request):
        return request.param

    @pytest.fixture
    def reader(self, given):
        return REGISTRY.get(LogReader, f"{given[0]}:{given[2]}")

    @pytest.fixture
    def file(self, given, tmp_path):
        if given[1] in FORMATS:
            log = FORMATS[given[1]][1](truth(np.random.default_rng(0)))
            made = tmp_path / "made" / log.name
            made.parent.mkdir(parents=True)
            made.write_bytes(log.bytes())
            return made
        if given[0] != "table":
            return next(LOGS.glob(given[1]))
        made = tmp_path / "made" / given[1]
        made.parent.mkdir()
        log = read_log(next(LOGS.glob("lm-eval/*/samples_sums*")), format="lm-eval:filter=each")
        replace(log, frame=log.frame.drop("task")).write(made)  # a text at the end of a line may be cut without a trace
        return made

    def test_no_other_reader_takes_the_file_for_its_own(self, reader, file):
        others = [REGISTRY.get(LogReader, name) for name in REGISTRY.names(LogReader)]
        assert [other.name for other in others if other.recognises(head(file), file)] == [reader.name]


READER = """
    import json, pytest
    from dataclasses import dataclass
    from moo_infer import LogReader
    from moo_infer.testing import LogReaderContract

    calls = []

    @dataclass(frozen=True)
    class Marks(LogReader):
        name = "marks"

        def recognises(self, head, path, /):
            {recognises}

        def read(self, path, /):
            text = path.read_text()
            {read}

    class TestMine(LogReaderContract):
        @pytest.fixture
        def reader(self):
            return Marks()

        @pytest.fixture
        def file(self, tmp_path):
            (tmp_path / "marks.json").write_text('{{"marks": ["+", "-"]}}')
            return tmp_path / "marks.json"
"""
ROW = '{"model": "m", "question_id": "q", "sample": i, "correct": mark == "+"}'
KNOWN = "return head.startswith(b'{\"marks\"')"
ROWS = f"return [{ROW} for i, mark in enumerate(json.loads(text)['marks'])]"


@pytest.mark.parametrize(
    ("recognises", "read", "test"),
    [
        (KNOWN, ROWS.replace('"+"}', '"+", "prompt": mark}'), "test_gives_the_neutral_table"),
        (KNOWN, ROWS.replace('"correct"', '"right"'), "test_gives_the_neutral_table"),
        (KNOWN, ROWS.replace("enumerate", "calls.append(1) or enumerate").replace('"q"', "str(len(calls))"), "test_gives_the_neutral_table"),
        ("return True", ROWS, "test_knows_its_files"),
        ("return False", ROWS, "test_knows_its_files"),
        (KNOWN, ROWS.replace("json.loads(text)['marks']", "text"), "test_notices_what_is_cut_off"),
    ],
)  # fmt: skip
def test_a_log_reader_that_breaks_the_contract_is_found(pytester, recognises, read, test):
    pytester.makepyfile(textwrap.dedent(READER).format(recognises=recognises, read=read))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "ignore", "--tb=no")
    failed = result.parseoutcomes()["failed"]
    result.stdout.fnmatch_lines([f"FAILED *{test}*"])
    assert failed == 1


def test_a_log_reader_that_keeps_the_contract_passes(pytester):
    pytester.makepyfile(textwrap.dedent(READER).format(recognises=KNOWN, read=ROWS))
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider").ret == 0


def test_a_contract_without_its_fixture_says_so(pytester):
    pytester.makepyfile("from moo_infer.testing import SelectorContract\nclass TestMine(SelectorContract): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*list `instances`, or give the fixture 'selector'*"])


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("return len(candidates)", "test_answers_with_a_row_or_a_reason"),
        ("raise NoSelection('')", "test_answers_with_a_row_or_a_reason"),
        ("candidates.means[:] = 0; return 0", "test_leaves_the_table_alone"),
        ("return int(np.argmax(candidates.means[:, 0]))", "test_ignores_dominated_rows"),
        ("return int(candidates.means[:, 0].max() > 12)", "test_does_not_depend_on_units"),
        ("return int(np.random.default_rng().integers(len(candidates)))", "test_gives_the_same_answer_again"),
    ],
)
def test_a_selector_that_breaks_the_contract_is_found(pytester, body, test):
    pytester.makepyfile(f"""
        import numpy as np, pytest
        from dataclasses import dataclass
        from moo_infer import NoSelection, Selector
        from moo_infer.testing import SelectorContract

        @dataclass(frozen=True)
        class Broken(Selector):
            name = "broken"
            def select(self, candidates, /):
                {body}

        class TestBroken(SelectorContract):
            @pytest.fixture
            def selector(self):
                return Broken()
    """)
    outcomes = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--tb=no", "-k", test).parseoutcomes()
    assert outcomes["failed"] == 1
    assert "passed" not in outcomes


AGGREGATOR = """
    import numpy as np, pytest
    from dataclasses import dataclass
    from moo_infer import AccuracyAggregator, Moments, NoChoice, NotExact
    from moo_infer.testing import AggregatorContract

    @dataclass{frozen}
    class Broken(AccuracyAggregator):
        name = "{name}"
        share: float = 1.0
        def aggregate(self, draws, rng, /):
            {body}
        def exact(self, query, k, /):
            {exact}
        def choose(self, draws, rng, /):
            {choose}

    class TestBroken(AggregatorContract):
        @pytest.fixture
        def aggregator(self):
            return Broken()
"""
ON_A_LOG = """
    import numpy as np
    import pytest
    from dataclasses import dataclass
    from moo_infer import CostModel, Moments, NotExact, Objective
    from moo_infer.builtin.costs import LinearCost
    from moo_infer.quantities.largest import largest
    from moo_infer.testing import CostModelContract

    @dataclass(frozen=True)
    class Longest(CostModel):
        name = "longest"
        objective = Objective("energy", "J")

        def total(self, draws, /, *, parallelism):
            return np.cumsum(draws.tokens_out, axis=1) + 50 * np.maximum.accumulate(draws.tokens_out, axis=1)

        def exact(self, query, k, /, *, parallelism):
            linear = LinearCost(0.0, 1.0).exact(query, k, parallelism=parallelism)
            try:
                return Moments(linear.mean + 50 * largest(query.tokens_out, k).mean)
            except NotExact:  # by samples
                return linear

    class TestLongest(CostModelContract):
        instances = (Longest(),)
"""
COST_MODEL = """
    import numpy as np, pytest
    from dataclasses import dataclass
    from moo_infer import CostModel, Moments, NotExact, Objective
    from moo_infer.testing import CostModelContract

    @dataclass(frozen=True)
    class Broken(CostModel):
        name = "broken"
        objective = Objective("{objective}")
        each: float = 2.0
        def total(self, draws, /, *, parallelism):
            {body}
        def exact(self, query, k, /, *, parallelism):
            {exact}

    class TestBroken(CostModelContract):
        @pytest.fixture
        def cost_model(self):
            return Broken()
"""
MODEL = """
    import numpy as np, pytest
    from dataclasses import dataclass
    from moo_infer import ClippedNormal, Draws, InferenceModel, Queries
    from moo_infer.testing import InferenceModelContract

    @dataclass(frozen=True)
    class Broken(InferenceModel):
        name = "broken"
        def queries(self):
            return Queries(accuracy=ClippedNormal({law}, 0, 1))
        def sample(self, rng, M, K, /):
            {body}

    class TestBroken(InferenceModelContract):
        @pytest.fixture
        def model(self):
            return Broken()
"""
FIRST = "return np.repeat(draws.accuracy[:, :1], draws.accuracy.shape[1], axis=1)"
FLAT = "return np.cumsum(np.full(draws.accuracy.shape, self.each), axis=1)"
UNIFORM = "return Draws(np.ones((M, K)), np.ones((M, K)), np.clip(rng.normal(0.5, 0.1, (M, K)), 0, 1))"


def aggregator(
    body=FIRST,
    exact="raise NotExact('unknown')",
    frozen="(frozen=True)",
    name="broken",
    choose="raise NoChoice('none')",
):
    return AGGREGATOR.format(body=body, exact=exact, frozen=frozen, name=name, choose=choose)


def cost_model(body=FLAT, exact="raise NotExact('unknown')", objective="cost"):
    return COST_MODEL.format(body=body, exact=exact, objective=objective)


def model(body=UNIFORM, law="0.5, 0.1"):
    return MODEL.format(body=body, law=law)


RIGHT = "right = rng.random(draws.accuracy.shape[::-1]).T < draws.accuracy; return np.maximum.accumulate(right, axis=1) * 1.0"
BEST = "return np.maximum.accumulate(draws.accuracy, axis=1)"
LAST = "return np.full(draws.shape[0], draws.shape[1] - 1)"
OF_BEST = "return draws.accuracy.argmax(axis=1)"
OF_BEST_ALONE = "return draws.accuracy.argmax(axis=1) * (draws.shape[0] == 1)"
VOTED = "from moo_infer.builtin.answers import PluralityVote; return PluralityVote().aggregate(draws, rng)"
LOWEST = "a = draws['answer']; c = (a[:, :, None] == a[:, None]).sum(axis=2) - a / 9; return np.where((a < 0).all(axis=1), -1, np.where(a < 0, -9, c).argmax(axis=1))"
RARE = "return Moments(1 - (1 - query.accuracy.mean) ** k)"


@pytest.mark.parametrize(
    "code",
    [
        aggregator(choose=LAST),
        aggregator(BEST, choose=OF_BEST),
        aggregator(RIGHT, RARE),
        aggregator(RIGHT.replace("[::-1]).T", ")"), RARE),
        cost_model(),
        model(),
    ],
    ids=[
        "aggregator",
        "one that takes the best",
        "one whose errors are too rare to be seen",
        "one that draws (M, K)",
        "cost model",
        "model",
    ],
)
def test_what_keeps_the_contract_passes(pytester, code):
    pytester.makepyfile(code)
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider").ret == 0


@pytest.mark.parametrize(
    ("code", "test"),
    [
        (aggregator("return draws.accuracy[:, 0]"), "test_accuracies_are_shares"),
        (aggregator("return 2 * draws.accuracy"), "test_accuracies_are_shares"),
        (aggregator("return draws.accuracy[:, ::-1]"), "test_an_accuracy_knows_nothing_of_later_inferences"),
        (aggregator(RIGHT.replace("shape[::-1]).T", "size).reshape(draws.accuracy.shape)")), "test_an_accuracy_knows_nothing_of_later_inferences"),
        (aggregator("return np.random.random_sample(draws.accuracy.shape)"), "test_is_reproducible_from_a_generator"),
        (aggregator("return np.random.default_rng().random(draws.accuracy.shape)"), "test_is_reproducible_from_a_generator"),
        (aggregator("a = draws.accuracy.base; a.flags.writeable = True; a[:] = 1; return a"), "test_leaves_the_draws_alone"),
        (aggregator("np.random.random_sample(); " + FIRST), "test_is_reproducible_from_a_generator"),
        (aggregator("import random; random.random(); " + FIRST), "test_is_reproducible_from_a_generator"),
        (model("np.random.random_sample(); " + UNIFORM), "test_is_reproducible_from_a_generator"),
        (aggregator(exact="return Moments(np.full(len(k), query.accuracy.mean), quantile=lambda q: 0.9)"), "test_exact_agrees_with_simulation"),
        (aggregator(exact="return Moments(np.full(len(k), 0.5))"), "test_exact_agrees_with_simulation"),
        (aggregator(exact="return Moments(np.full(1, query.accuracy.mean))"), "test_exact_agrees_with_simulation"),
        (aggregator(exact="return Moments(np.full(len(k), np.mean(query.accuracy.mean)))"), "test_draws_of_uncertain_parameters_are_those_of_one_at_a_time"),
        (aggregator(choose="return draws.accuracy[:, 0]"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="return np.zeros(draws.shape, dtype=int)"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="return np.full(*draws.shape)"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="return np.full(draws.shape[0], -2)"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="raise ValueError"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="return np.random.default_rng().integers(-1, draws.shape[1], draws.shape[0])"), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="np.random.random_sample(); " + LAST), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(choose="a = draws.accuracy.base; a.flags.writeable = True; a[:] = 1; " + LAST), "test_a_choice_is_one_of_the_inferences"),
        (aggregator(BEST, choose=LAST), "test_what_is_chosen_is_worth_what_is_promised"),
        (aggregator(choose=OF_BEST), "test_what_is_chosen_is_worth_what_is_promised"),
        (aggregator(choose="return np.full(draws.shape[0], -1)"), "test_what_is_chosen_is_worth_what_is_promised"),
        (aggregator(VOTED, choose=LOWEST), "test_what_is_chosen_is_worth_what_is_promised"),
        (aggregator(choose=OF_BEST_ALONE), "test_a_choice_is_made_query_by_query"),
        (aggregator(choose="draws.get('answer'); " + OF_BEST), "test_who_chooses_by_answers_or_scores_does_not_look_at_what_is_right"),
        (aggregator(choose="draws['score']; return np.zeros(len(draws.accuracy), dtype=int)"), "test_who_chooses_by_answers_or_scores_does_not_look_at_what_is_right"),
        (aggregator(frozen=""), "test_is_a_part"),
        (aggregator(name="Broken Vote"), "test_is_a_part"),
        (cost_model(objective="accuracy"), "test_has_an_objective"),
        (cost_model("return np.full(draws.accuracy.shape, np.nan)"), "test_totals_are_finite_and_grow"),
        (cost_model("return draws.tokens_out"), "test_totals_are_finite_and_grow"),
        (cost_model("return np.cumsum(draws.tokens_out.mean(axis=1, keepdims=True) * np.ones(draws.accuracy.shape), axis=1)"), "test_a_total_knows_nothing_of_later_inferences"),
        (cost_model("return np.cumsum(np.random.default_rng().random(draws.accuracy.shape), axis=1)"), "test_leaves_the_draws_alone_and_gives_the_same_again"),
        (cost_model(exact="return Moments(2.0 * k + 1)"), "test_exact_agrees_with_simulation"),
        (cost_model("return np.cumsum(draws.tokens_out, axis=1)", "return Moments(k * query.tokens_out.mean, k * query.tokens_out.std)"), "test_exact_agrees_with_simulation"),
        (cost_model(exact="return Moments(np.ravel(self.each)[0] * k)"), "test_draws_of_uncertain_parameters_are_those_of_one_at_a_time"),
        (model("return Draws(np.ones((K, M)), np.ones((K, M)), np.ones((K, M)))"), "test_draws_what_was_asked_for"),
        (model("return Draws(-np.ones((M, K)), np.ones((M, K)), np.ones((M, K)))"), "test_draws_what_was_asked_for"),
        (model("return Draws(np.ones((M, K)), np.ones((M, K)), np.random.random_sample((M, K)))"), "test_is_reproducible_from_a_generator"),
        (model(UNIFORM.replace("(M, K)), 0, 1)", "M * K).reshape(M, K), 0, 1)")), "test_the_first_inferences_are_the_same_however_many_are_drawn"),
        (model(law="0.6, 0.1"), "test_laws_agree_with_draws"),
        (model(law="0.5, 0.2"), "test_laws_agree_with_draws"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_found(pytester, code, test):
    pytester.makepyfile(code)
    outcomes = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--tb=no", "-k", test).parseoutcomes()
    assert outcomes["failed"] >= 1  # on one of the models at least


def test_moments_that_leave_something_out_on_a_log_are_found(pytester):
    pytester.makepyfile(ON_A_LOG)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "exact_agrees")
    result.stdout.fnmatch_lines(["*AssertionError: mean of energy at k = 1, P = 1: exact 2*, simulated 1*"])
    assert result.parseoutcomes()["failed"] == 2  # on both logs


def test_a_parameter_that_no_instance_sets_is_found(pytester):
    pytester.makepyfile("""
        from moo_infer.builtin.gpus import GpuCost
        from moo_infer.testing import CostModelContract

        class TestMine(CostModelContract):
            instances = (GpuCost(2.5, output_tokens_per_second=900), GpuCost(2.5, gpus=2, output_tokens_per_second=900))
    """)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "optional")
    result.stdout.fnmatch_lines(["*than the default of GpuCost.itl_base_s, GpuCost.itl_per_sequence_s, GpuCost.batch"])


if __name__ == "__main__":
    EXACT.write_text(what_is_exact(), encoding="utf-8")
