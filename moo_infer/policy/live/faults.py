"""What can go wrong with a request, in our own words: those of a server may hold keys and prompts."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Fault", "fault_of", "garbled"]

REFUSED = (401, 403)  # the key, or what it may do: no other call will do better
LATER = (408, 429)  # the same request may be answered later, as after 5xx and redirects


@dataclass(frozen=True)
class Fault:
    """Why a request brought nothing.

    Args:
        why: in words.
        again: whether another try may bring something.
        billed: whether the provider may bill it all the same.
        broken_off: whether it was given up here, while the provider was at it.
        stops: whether no other call will do better.
        answered: whether the model answered, but so that nothing can be read of it.
        retry_after: seconds that the server wants to be left alone.
    """

    why: str
    again: bool = False
    billed: bool = False
    broken_off: bool = False
    stops: bool = False
    answered: bool = False
    retry_after: float | None = None


def garbled() -> Fault:
    """Return the fault of a response that is cut off, or no completion.

    >>> garbled().again
    True
    """
    return Fault("the response is cut off, or no completion", again=True, billed=True)


def fault_of(error: BaseException, timeout_s: float, /) -> Fault:
    """Return what an exception of a request means.

    Args:
        error: what was raised.
        timeout_s: seconds that the request might take.

    >>> fault_of(TimeoutError(), 120.0).why
    'no response within 120 s'
    """
    import httpx2
    import openai

    from .transport import MOST_BYTES, BodyTooLong

    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code, error.response.headers.get("retry-after"))
    if any(isinstance(cause, BodyTooLong) for cause in _causes(error)):
        return Fault(f"the response has more than {MOST_BYTES // 2**20} MB", answered=True)
    if any(isinstance(cause, httpx2.ConnectError) for cause in _causes(error)):
        untrusted = any(isinstance(cause, ssl.SSLError) for cause in _causes(error))
        which = "no connection that can be trusted (TLS)" if untrusted else "no connection"
        return Fault(f"there is {which}", again=True)  # nothing was sent
    if isinstance(error, TimeoutError | asyncio.TimeoutError | openai.APITimeoutError):
        return Fault(f"no response within {timeout_s:g} s", again=True, billed=True, broken_off=True)
    if isinstance(error, openai.APIConnectionError):
        return Fault("the connection was dropped", again=True, billed=True)
    return Fault(f"the request failed ({type(error).__name__})", again=True, billed=True)


def _of_status(status: int, retry_after: str | None) -> Fault:
    why = f"the server answered with status {status}"
    if status in REFUSED:
        return Fault(f"{why}: it does not take the key", stops=True)
    if 300 <= status < 400:
        return Fault(f"{why}, a redirect, which is not followed", again=True)
    if status in LATER or status >= 500:
        # One that was turned away has cost nothing; one that failed on the way may have.
        return Fault(why, again=True, billed=status != 429, retry_after=_seconds(retry_after))
    return Fault(why)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _seconds(retry_after: str | None) -> float | None:
    """What ``Retry-After`` says, seconds or a date, as seconds from now; None where it says nothing."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
        return seconds if 0 <= seconds < float("inf") else None
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(retry_after)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):  # dates that no calendar has
        return None
