"""A step as one CUDA graph: recorded once, then replayed without a word from Python.

A GPU does a step of small networks faster than Python can ask for its thousands of operations. A
graph holds them all, streams and memory included, and is launched at once.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Work = Callable[[], Tensor]
Replay = Callable[[], object]

WARM_UP = 3
"""Runs before recording: libraries choose their kernels, compilers compile, optimizers remember."""

_one_at_a_time = threading.Lock()
_streams = threading.local()


def stream(name: str) -> torch.cuda.Stream:
    """This thread's stream of that name. torch has 32 and then hands out the first ones again,
    so that a new one might be what another thread is recording."""
    key = f"{name} of {torch.cuda.current_device()}"
    if key not in vars(_streams):
        vars(_streams)[key] = torch.cuda.Stream()
    return vars(_streams)[key]


def cuda_graph(work: Work) -> tuple[Replay, Tensor]:
    """Warm up and record ``work`` on a GPU: what replays it, and where its result then lies."""
    here, aside = torch.cuda.current_stream(), stream("recording")
    aside.wait_stream(here)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                work()
            # other threads may go on with work of their own meanwhile
            with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
                result = work()
    finally:  # what was changed by the warm-up is put back only when it is over
        here.wait_stream(aside)
    return graph.replay, result


class Captured:
    """A function of tensors that is recorded at its first call and replayed at the others.

    Recording changes nothing that is learned. Inputs of other shapes, such as a last batch that is
    smaller, go to the function itself; so does everything, with a warning, where recording fails.

    ``function`` takes tensors, or None, and returns a tensor. It must neither draw random numbers
    nor wait for the GPU, and do the same at every call. ``state`` gives the tensors that it
    changes; those that are not there before the recording begin as zeros, as the moments of an
    optimizer do. ``record`` makes of work what replays it, and its result.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        state: Callable[[], Sequence[Tensor]] = tuple,
        record: Callable[[Work], tuple[Replay, Tensor]] = cuda_graph,
    ) -> None:
        self.function, self.state, self.record = function, state, record
        self.replay: Replay | None = None
        self.shapes: list[torch.Size | None] | None = None

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        shapes = [None if given is None else given.shape for given in inputs]
        if self.shapes is None:
            self.shapes = shapes
            self._capture(inputs)
        if self.replay is None or shapes != self.shapes:
            return self.function(*inputs)
        for place, given in zip(self.inputs, inputs, strict=True):
            if place is not None and given is not None:
                place.copy_(given)
        self.replay()
        return self.result.clone()  # the next replay writes there again

    @torch.no_grad()
    def _capture(self, inputs: Sequence[Tensor | None]) -> None:
        self.inputs = [None if t is None else torch.empty_like(t).copy_(t) for t in inputs]
        before = [(tensor, tensor.clone()) for tensor in self.state()]
        try:
            with _one_at_a_time, torch.enable_grad():
                self.replay, self.result = self.record(lambda: self.function(*self.inputs))
        except Exception as error:  # whatever a driver can do; the function's own errors return
            first = (str(error).splitlines() or [type(error).__name__])[0]
            warnings.warn(f"training goes on uncaptured: {first}", RuntimeWarning, stacklevel=4)
        known = {id(tensor) for tensor, _ in before}
        for tensor in self.state():
            if id(tensor) not in known:
                tensor.zero_()
        for tensor, value in before:
            tensor.copy_(value)
