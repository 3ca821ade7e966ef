"""Random numbers of M trials whose first columns are the same, however many columns are drawn.

A table of k = 4 and k = 1000 draws (M, 1000), one of k = 4 alone (M, 4). NumPy fills arrays row by row, so both would
see other numbers at k = 4. Here every array is filled column by column, from a stream of its own.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np

__all__ = ["Streams"]

# How many parameters stand before `size` in the methods of a generator whose parameters broadcast to the size ...
BROADCAST = {
    "random": 0, "standard_normal": 0, "standard_exponential": 0, "standard_cauchy": 0,
    "chisquare": 1, "exponential": 1, "geometric": 1, "logseries": 1, "pareto": 1, "poisson": 1, "power": 1,
    "rayleigh": 1, "standard_gamma": 1, "standard_t": 1, "weibull": 1, "zipf": 1,
    "beta": 2, "binomial": 2, "f": 2, "gamma": 2, "gumbel": 2, "integers": 2, "laplace": 2, "logistic": 2,
    "lognormal": 2, "negative_binomial": 2, "noncentral_chisquare": 2, "normal": 2, "uniform": 2, "vonmises": 2,
    "wald": 2,
    "hypergeometric": 3, "noncentral_f": 3, "triangular": 3,
}  # fmt: skip
# ... and in those whose parameters are about one number, or one vector, of the result.
WHOLE = {
    "choice": 1, "dirichlet": 1, "multinomial": 2, "multivariate_hypergeometric": 2, "multivariate_normal": 2,
}  # fmt: skip
WITHOUT_SIZE = ("bytes", "permutation", "permuted", "shuffle")


class Streams(np.random.Generator):
    """A generator for M trials: what it draws of shape (M, K) begins with the same columns whatever K is.

    It has all methods of NumPy's generators and draws from the same laws. Every call draws from a stream of its own,
    and arrays whose shape begins with M are filled column after column. So the numbers of a column depend on how many
    calls came before, but not on K; calls in a loop over K should be the last that a part makes.

    Args:
        seed: of all streams, >= 0.
        key: tells streams of the same seed apart.
        M: how many trials.

    >>> Streams(7, (0,), 2).normal(0.0, 1.0, (2, 3)).round(3)
    array([[ 1.384, -1.691, -0.316],
           [ 1.082, -0.533, -0.641]])
    >>> Streams(7, (0,), 2).normal(0.0, 1.0, (2, 1)).round(3)
    array([[1.384],
           [1.082]])
    """

    def __init__(self, seed: int, key: Sequence[int], M: int) -> None:
        super().__init__(_unused())
        self._seed, self._key, self._M, self._calls = seed, tuple(key), M, 0

    @cached_property
    def bit_generator(self) -> np.random.BitGenerator:
        """Bits for who turns them into numbers without the methods here."""
        return _bits(self._seed, self._key)

    def __reduce__(self) -> Any:
        return _at, (self._seed, self._key, self._M, self._calls)

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """Return n independent generators of the same kind."""
        self._calls += 1
        return [Streams(self._seed, (*self._key, self._calls, i), self._M) for i in range(n_children)]

    def _stream(self) -> np.random.Generator:
        self._calls += 1
        return np.random.Generator(_bits(self._seed, (*self._key, self._calls)))


@cache
def _unused() -> np.random.PCG64:
    """What NumPy wants a generator to have; no method here draws from it, and seeding one for each takes too long."""
    return np.random.PCG64(0)


def _at(seed: int, key: Sequence[int], M: int, calls: int) -> Streams:
    """Streams from which so many calls were drawn: how a copy is made."""
    streams = Streams(seed, key, M)
    streams._calls = calls
    return streams


def _bits(seed: int, key: Sequence[int]) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=tuple(key)))


def _by_column(name: str, before: int, broadcast: bool) -> Callable[..., Any]:
    """Make a method that draws (K, M, ...) where (M, K, ...) is asked for."""

    def draw(self: Streams, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(self._stream(), name)
        size = args[before] if len(args) > before else kwargs.get("size")
        parameters = [*args[:before], *(value for key, value in kwargs.items() if key != "size")]
        shape = np.broadcast_shapes(*map(np.shape, parameters)) if size is None and broadcast else size
        if not isinstance(shape, Sequence) or len(shape) < 2 or shape[0] != self._M or kwargs.get("out") is not None:
            return method(*args, **kwargs)

        def turned(parameter: Any) -> Any:
            if not broadcast or np.ndim(parameter) == 0:
                return parameter
            array = np.asarray(parameter)
            return np.swapaxes(array.reshape((1,) * (len(shape) - array.ndim) + array.shape), 0, 1)

        rest = {key: turned(value) for key, value in kwargs.items() if key != "size"}
        turned_shape = (shape[1], shape[0], *shape[2:])
        drawn = method(*map(turned, args[:before]), *args[before + 1 :], size=turned_shape, **rest)
        return np.swapaxes(drawn, 0, 1)

    draw.__name__ = name
    draw.__doc__ = f"As `numpy.random.Generator.{name}`."
    return draw


def _in_turn(name: str) -> Callable[..., Any]:
    """Make a method that draws from a stream of its own."""

    def draw(self: Streams, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._stream(), name)(*args, **kwargs)

    draw.__name__ = name
    draw.__doc__ = f"As `numpy.random.Generator.{name}`."
    return draw


for _name, _before in BROADCAST.items():
    setattr(Streams, _name, _by_column(_name, _before, broadcast=True))
for _name, _before in WHOLE.items():
    setattr(Streams, _name, _by_column(_name, _before, broadcast=False))
_later = {_name for _name in vars(np.random.Generator) if not _name.startswith("_")} - {*vars(Streams)}
for _name in {*WITHOUT_SIZE, *_later}:  # what a later NumPy brings draws from a stream of its own, too
    setattr(Streams, _name, _in_turn(_name))
