"""Measures decoding steps, prefills and idle watts of a GPU, with PyTorch alone, into tables that fit-latency reads.

    python examples/measure_gpu.py --out measured
    moo-infer fit-latency measured/steps.csv measured/prefill.csv
    moo-infer fit-latency measured/steps.csv measured/prefill.csv measured/idle.csv --energy

It takes PyTorch 2.5 or newer. The model is a decoder of the shape of Llama-3.1-8B with random weights: what it writes
means nothing, the seconds and joules of its steps do. --layers, --width and the like make another. A step of B
sequences reads a whole context of each, as a CUDA graph. Joules come from the counter of an NVIDIA driver; where there
is none the column stays empty. An H100 takes about two minutes; --tiny runs a toy on the CPU in a second.
"""

import argparse
import csv
import ctypes
import importlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

Counter = Callable[[], float | None]  # joules since some time, None where nothing counts them
AHEAD = 3  # runs that are not measured
NVML = "libnvidia-ml.so.1"


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    numbers: dict[str, Any] = {"type": lambda text: [int(n) for n in text.split(",")], "metavar": "N,N,..."}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("measured"), help="folder of the tables (default: measured)")
    parser.add_argument("--tiny", action="store_true", help="a toy on the CPU, to try the script")
    parser.add_argument("--batches", **numbers, default=[1, 2, 4, 8, 16, 32, 64, 128, 256], help="sequences in a step")
    parser.add_argument("--contexts", **numbers, default=[512, 2048, 8192], help="tokens that each of them reads")
    parser.add_argument("--prompts", **numbers, default=[128, 512, 2048, 8192], help="tokens of a prefill")
    parser.add_argument(
        "--window", type=float, default=1.5, help="seconds that each is repeated for; counters are slow"
    )
    for name, default in (
        ("layers", 32), ("width", 4096), ("heads", 32), ("kv-heads", 8), ("inner", 14336), ("vocabulary", 128256)
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default, help=f"of the decoder (default: {default})")
    given = parser.parse_args(argv)
    if given.tiny:
        shape = {"layers": 2, "width": 64, "heads": 4, "kv_heads": 2, "inner": 128, "vocabulary": 256}
        cells = {"batches": [1, 4, 16], "contexts": [64, 1024], "prompts": [16, 256], "window": 0.01}
        vars(given).update(shape | cells)
    return given


class Decoder:
    """A decoder with random weights and a cache of keys and values.

    Args:
        torch: the module.
        of: the shape, as the options say it.
        device: where it runs.
        dtype: of its numbers.
    """

    def __init__(self, torch: Any, of: argparse.Namespace, device: str, dtype: Any) -> None:
        self.torch, self.of, self.device, self.dtype = torch, of, device, dtype
        self.head = of.width // of.heads
        narrow = of.kv_heads * self.head
        shapes = {"q": of.width, "k": narrow, "v": narrow, "o": of.width, "gate": of.inner, "up": of.inner}
        self.layers = [
            {name: self.random(of.width, wide) for name, wide in shapes.items()}
            | {"down": self.random(of.inner, of.width)}
            for _ in range(of.layers)
        ]
        self.embedding, self.logits = self.random(of.vocabulary, of.width), self.random(of.width, of.vocabulary)

    def random(self, *shape: int) -> Any:
        """Small numbers of the shape."""
        return self.torch.empty(shape, device=self.device, dtype=self.dtype).normal_(std=0.02)

    def cache(self, batch: int, context: int) -> list[tuple[Any, Any]]:
        """Keys and values of so many sequences, for every layer."""
        shape = (batch, self.of.kv_heads, context, self.head)
        return [(self.random(*shape), self.random(*shape)) for _ in range(self.of.layers)]

    def step(self, tokens: Any, cache: list[tuple[Any, Any]]) -> Any:
        """The next token of each sequence (B,), which reads its whole cache; the last place in it is overwritten."""
        x, batch = self.embedding[tokens], len(tokens)
        for layer, (keys, values) in zip(self.layers, cache, strict=True):
            h = self.normed(x)
            keys[:, :, -1] = (h @ layer["k"]).view(batch, -1, self.head)
            values[:, :, -1] = (h @ layer["v"]).view(batch, -1, self.head)
            q = (h @ layer["q"]).view(batch, -1, 1, self.head)
            x = self.after(layer, x, self.attention(q, keys, values).reshape(batch, -1))
        return (self.normed(x) @ self.logits).argmax(-1)

    def prefill(self, tokens: Any) -> Any:
        """The first token after a prompt (T,)."""
        x = self.embedding[tokens]
        for layer in self.layers:
            h = self.normed(x)
            q, k, v = ((h @ layer[name]).view(1, len(tokens), -1, self.head).transpose(1, 2) for name in "qkv")
            attended = self.attention(q, k, v, is_causal=True)
            x = self.after(layer, x, attended.transpose(1, 2).reshape(len(tokens), -1))
        return (self.normed(x[-1:]) @ self.logits).argmax(-1)

    def after(self, layer: dict[str, Any], x: Any, attended: Any) -> Any:
        """What a layer does after its attention."""
        x = x + attended @ layer["o"]
        h = self.normed(x)
        return x + (self.torch.nn.functional.silu(h @ layer["gate"]) * (h @ layer["up"])) @ layer["down"]

    def normed(self, x: Any) -> Any:
        """Numbers (..., width) with a mean square of 1."""
        return self.torch.nn.functional.rms_norm(x, (self.of.width,))

    def attention(self, q: Any, k: Any, v: Any, **how: bool) -> Any:
        """What queries read of keys and values; several heads share these."""
        attend = self.torch.nn.functional.scaled_dot_product_attention
        return attend(q, k, v, enable_gqa=self.of.heads != self.of.kv_heads, **how)


def energy_counter(torch: Any, device: str) -> Counter:
    """The counter of the card, by the library of its driver."""
    try:
        library, card = ctypes.CDLL(NVML), ctypes.c_void_p()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
        if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(card)):
            return lambda: None
    except (OSError, AttributeError, RuntimeError, AssertionError):
        return lambda: None

    def joules() -> float | None:
        millijoules = ctypes.c_ulonglong()
        failed = library.nvmlDeviceGetTotalEnergyConsumption(card, ctypes.byref(millijoules))
        return None if failed else millijoules.value / 1000

    return joules


class Meter:
    """Seconds and joules of something that is repeated for a while."""

    def __init__(self, torch: Any, device: str, window: float) -> None:
        self.window, self.joules = window, energy_counter(torch, device)
        self.wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def of(self, run: Callable[[], object]) -> tuple[float, float | None]:
        """Mean seconds and joules of one run."""
        for _ in range(AHEAD):
            run()
        one, _ = self.taken(run, AHEAD)
        return self.taken(run, math.ceil(self.window / max(one, 1e-6)))

    def taken(self, run: Callable[[], object], times: int) -> tuple[float, float | None]:
        """The same, of so many runs."""
        self.wait()
        start, before = time.perf_counter(), self.joules()
        for _ in range(times):
            run()
        self.wait()
        seconds, after = time.perf_counter() - start, self.joules()
        spent = None if before is None or after is None else (after - before) / times
        return seconds / times, spent


def graphed(torch: Any, device: str, run: Callable[[], object]) -> Callable[[], object]:
    """A run as a CUDA graph, on a GPU: without what Python takes to launch its kernels."""
    if device != "cuda":
        return run
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(AHEAD):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay  # type: ignore[no-any-return]  # torch has no types here


def steps(torch: Any, decoder: Decoder, meter: Meter) -> list[list[object]]:
    """A row for each batch size and context; what does not fit into memory is left out."""
    rows: list[list[object]] = []
    for context in decoder.of.contexts:
        for batch in decoder.of.batches:
            print(f"step: {batch} x {context} tokens", file=sys.stderr)
            try:
                rows.append([batch, context, *step(torch, decoder, meter, batch, context)])
            except torch.cuda.OutOfMemoryError:
                print("  does not fit into memory, left out", file=sys.stderr)
            if decoder.device == "cuda":
                torch.cuda.empty_cache()
    return rows


def step(torch: Any, decoder: Decoder, meter: Meter, batch: int, context: int) -> tuple[float, float | None]:
    cache, tokens = decoder.cache(batch, context), torch.zeros(batch, dtype=torch.long, device=decoder.device)
    return meter.of(graphed(torch, decoder.device, lambda: decoder.step(tokens, cache)))


def prefills(torch: Any, decoder: Decoder, meter: Meter) -> list[list[object]]:
    """A row for each prompt, and one for eight of the middle one, one after the other."""
    prompts = sorted(decoder.of.prompts)
    rows: list[list[object]] = []
    for tokens, times in [*((tokens, 1) for tokens in prompts), (prompts[len(prompts) // 2], 8)]:
        print(f"prefill: {times} x {tokens} tokens", file=sys.stderr)
        prompt = torch.zeros(tokens, dtype=torch.long, device=decoder.device)
        rows.append([tokens, times, *meter.of(partial(repeated, partial(decoder.prefill, prompt), times))])
    return rows


def repeated(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()


def write(path: Path, header: str, rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    print(path)


def main(argv: Sequence[str] | None = None) -> None:
    of = options(argv)
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        sys.exit("measure_gpu.py: needs PyTorch: pip install torch")
    device = "cpu" if of.tiny else "cuda"
    if not of.tiny and not torch.cuda.is_available():
        sys.exit("measure_gpu.py: PyTorch sees no GPU here; --tiny tries the script on the CPU")
    if of.tiny:
        torch.set_num_threads(1)  # threads of a toy wait for each other
    of.out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        decoder = Decoder(torch, of, device, torch.float32 if of.tiny else torch.bfloat16)
        meter = Meter(torch, device, of.window)
        seconds, idle = meter.taken(lambda: time.sleep(2 * of.window), 1)
        write(of.out / "steps.csv", "batch,context,seconds,joules", steps(torch, decoder, meter))
        write(of.out / "prefill.csv", "tokens,prefills,seconds,joules", prefills(torch, decoder, meter))
    if idle is not None:
        write(of.out / "idle.csv", "watts", [[idle / seconds]])


if __name__ == "__main__":
    main()
