"""What a budget pays for, free of the errors that floats make of prices."""

import math

from .arguments import typed
from .errors import MooInferError
from .objectives import TOLERANCE

__all__ = ["affordable", "pays"]


@typed()
def pays(budget: float, total: float, /) -> bool:
    """Whether a budget pays for a total, both in the same unit, but for rounding, as limits are met.

    Sums of prices in another order differ in their last digits, and 5 USD shall pay for 1000 calls of 0.005. What is
    allowed for that is ten thousand times what a float is off by, and a ten-millionth of a cent in 1000 USD.

    >>> pays(0.3, 0.1 + 0.2), pays(0.3, 0.3000001)
    (True, False)
    """
    return total <= budget * (1 + TOLERANCE)


@typed()
def affordable(budget: float, price: float, fixed: float = 0.0) -> int:
    """Return how many things a budget pays for: the largest whole n with fixed + n price <= budget.

    Quotients of floats are no answer: ``1.0 // 0.1`` is 9, and ``(1 - 0.3) / 0.07`` lies below 10. So n counts where
    its total is above the budget by less than the errors of such sums, a millionth of a millionth of the budget (which
    is less than a price up to n = 1e12).

    Args:
        budget: >= 0, finite; in the unit of the prices.
        price: of one, > 0, finite.
        fixed: what is paid before the first, >= 0, finite.

    Returns:
        n >= 0; 0 too where the budget does not pay for what is fixed.

    Raises:
        MooInferError: for numbers out of range; of what is free any number is affordable.

    >>> affordable(1.0, 0.1), affordable(1 - 0.3, 0.07), affordable(0.999999, 0.1), affordable(10, 0.5, fixed=6)
    (10, 10, 9, 8)
    """
    for name, value, least in (("budget", budget, ">= 0"), ("price", price, "> 0"), ("fixed", fixed, ">= 0")):
        allowed = math.isfinite(value) and (value > 0 or (value == 0 and least == ">= 0"))
        if not allowed:
            raise MooInferError(f"{name}: must be finite and {least}, got {value!r}")
    if not pays(budget, fixed):
        return 0
    quotient = max(0.0, budget - fixed) / price
    if math.isinf(quotient):
        raise MooInferError(f"price: so small that more than 1e308 are affordable, got {price!r}")
    nearest = round(quotient)
    return nearest if pays(budget, fixed + nearest * price) else nearest - 1
