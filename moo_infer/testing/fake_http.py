"""As much of HTTP/1.1 as a fake endpoint needs: requests with a length, answers one after the other, keep-alive."""

import asyncio
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias, cast

from .fake_faults import Response, error

__all__ = ["Connection", "Handler"]

Handler: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Response]  # method, path, headers, body

LONGEST_HEAD, LONGEST_BODY = 2**16, 2**26  # bytes
STEPS = 100  # in which a slow body comes: no pause is longer than a hundredth of all
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Connection(asyncio.Protocol):
    """One connection: requests are read and answered in turn.

    Args:
        handle: makes the response to a request; called once a request is there whole.
        left: called when the response is sent, or given up: whether all of it was sent, with status 200.
        slow_s: seconds that a slow body takes.
        connections: the open ones, which this one enters and leaves.
    """

    def __init__(
        self, handle: Handler, left: Callable[[bool], None], slow_s: float, connections: "set[Connection]"
    ) -> None:
        self.handle, self.left, self.slow_s, self.connections = handle, left, slow_s, connections
        self.buffer = bytearray()
        self.head: tuple[str, str, dict[str, str]] | None = None  # of the request whose body is awaited
        self.response: Response | None = None  # that is being sent
        self.closes = False  # after it
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what was being sent."""
        self.connections.discard(self)
        if self.timer:
            self.timer.cancel()
        if self.response:
            self.response = None
            self.left(False)

    def data_received(self, data: bytes) -> None:
        """Read, and answer when a request is whole."""
        self.buffer += data
        if not self.response:
            self._next()

    def _next(self) -> None:
        """Answer what the buffer holds, until a response has to wait."""
        while not self.response and not self.transport.is_closing():
            if self.head is None and not self._read_head():
                return
            method, path, headers = cast(tuple[str, str, dict[str, str]], self.head)
            length = int(headers.get("content-length", "0"))
            if len(self.buffer) < length:
                return
            body = bytes(self.buffer[:length])
            del self.buffer[:length]
            self.head = None
            self.response = self.handle(method, path, headers, body)
            self.closes = headers.get("connection", "").lower() == "close"
            if self.response.delay_s:
                self.timer = asyncio.get_running_loop().call_later(self.response.delay_s, self._send_and_go_on)
            else:
                self._send()

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > LONGEST_HEAD:
                self._refuse(431)
            return False
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        words = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = headers.get("content-length", "0")
        if len(words) != 3 or not length.isdecimal():
            self._refuse(400)
            return False
        if "transfer-encoding" in headers or int(length) > LONGEST_BODY:
            self._refuse(411 if "transfer-encoding" in headers else 413)
            return False
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.head = words[0], words[1], headers
        return True

    def _refuse(self, status: int) -> None:
        """Close after what is no request that can be read."""
        response = Response(status, error("this is no request"), {"Connection": "close"})
        self.transport.write(_head(response) + response.body)
        self.transport.close()

    def _send_and_go_on(self) -> None:
        self.timer = None
        self._send()
        self._next()

    def _send(self) -> None:
        response = cast(Response, self.response)
        match response.way:
            case "whole":
                self._finish(response.status == 200, _head(response) + response.body)
            case "no-byte":
                self.transport.abort()
            case "half":
                self.transport.write(_head(response) + response.body[: len(response.body) // 2])
                self.transport.close()
            case "slow":
                self.transport.write(_head(response))
                self._trickle(response.body, math.ceil(len(response.body) / STEPS))

    def _trickle(self, rest: bytes, step: int) -> None:
        self.timer = None
        if len(rest) <= step:
            self._finish(True, rest)
            self._next()
            return
        self.transport.write(rest[:step])
        pause = self.slow_s / STEPS
        self.timer = asyncio.get_running_loop().call_later(pause, self._trickle, rest[step:], step)

    def _finish(self, answered: bool, rest: bytes) -> None:
        """Send the end of a response; counted before, so that a client that has it finds it counted."""
        self.response = None
        self.left(answered)
        self.transport.write(rest)
        if self.closes:
            self.transport.close()


def _head(response: Response) -> bytes:
    headers = {"Content-Type": "application/json", **response.headers, "Content-Length": len(response.body)}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    first = f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}\r\n"
    return f"{first}{''.join(lines)}\r\n".encode("latin-1")
