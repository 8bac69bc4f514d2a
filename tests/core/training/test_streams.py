"""What waits for what on a GPU, with streams that write down what is asked of them."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from kdfair_core.training import captured, learners
from kdfair_core.training.captured import WARM_UP, cuda_graph
from kdfair_core.training.learners import Learners


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that computes nothing: ``events`` is what happened, "stream: what", in order."""
    events, current = [], []

    class Stream:
        made = 0

        def __init__(self, name=None):
            Stream.made += name is None
            self.name = name or f"stream {Stream.made}"

        def wait_stream(self, other):
            events.append(f"{self.name}: waits for {other.name}")

    @contextmanager
    def inside(stream):
        current.append(stream)
        try:
            yield
        finally:
            current.pop()

    current.append(Stream("here"))
    memory = SimpleNamespace(peak=1, free=100)
    for name, value in {
        "Stream": Stream,
        "stream": inside,
        "current_stream": lambda: current[-1],
        "current_device": lambda: 0,
        "memory_allocated": lambda: 0,
        "max_memory_allocated": lambda: memory.peak,
        "reset_peak_memory_stats": lambda: None,
        "mem_get_info": lambda: (memory.free, 0),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(captured, "_streams", SimpleNamespace())
    return SimpleNamespace(events=events, now=lambda: current[-1].name, memory=memory)


def test_each_part_has_a_stream_and_all_are_waited_for(gpu):
    company = Learners([nn.Linear(2, 3) for _ in range(3)], range(3), captured=True)

    def loss_of(logits, which):
        gpu.events.append(f"{gpu.now()}: learns {which.start}")
        return logits.sum((1, 2))

    x = torch.ones(4, 2)
    for _ in range(2):
        company.backward((x,), loss_of, 0)
    assert gpu.events == [f"here: learns {i}" for i in (0, 1, 2)] * 2
    gpu.events.clear()
    losses = company.backward((x,), loss_of, 0)
    expected = [network(x).sum() for network in company.networks]
    torch.testing.assert_close(losses, torch.stack(expected).detach())
    streams = [f"stream {i}" for i in (1, 2, 3)]
    assert gpu.events == [
        *(f"{name}: waits for here" for name in streams),
        *(f"{name}: learns {i}" for i, name in enumerate(streams)),
        *(f"here: waits for {name}" for name in streams),
    ]


def test_no_more_streams_than_memory_has_room_for(gpu):
    gpu.memory.peak, gpu.memory.free = 10, 40
    company = Learners([nn.Linear(2, 3) for _ in range(5)], range(5), captured=True)
    for _ in range(3):
        company.backward((torch.ones(4, 2),), lambda logits, _: logits.sum((1, 2)), 0)
    assert len(company._streams) == int(learners.ROOM * 40 / 10) == 2


def test_the_teacher_works_beside_and_is_waited_for(gpu):
    company = Learners([nn.Linear(2, 3)], [0])
    company._aside = captured.stream("beside")
    kept = []
    logits = SimpleNamespace(record_stream=lambda stream: kept.append(stream.name))

    def look():
        gpu.events.append(f"{gpu.now()}: looks")
        return logits

    wait = company.beside(look)
    assert gpu.events == ["stream 1: waits for here", "stream 1: looks"]
    assert wait() is logits and kept == ["here"]
    assert gpu.events[2:] == ["here: waits for stream 1"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_recording_is_warmed_up_on_its_stream_and_leaves_the_current_one(gpu, monkeypatch, fails):
    modes = []

    @contextmanager
    def graph(recorded, *, stream, capture_error_mode):
        modes.append((stream.name, capture_error_mode))
        with torch.cuda.stream(stream):
            yield
        if fails:
            raise RuntimeError("invalidated")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay="replay"))
    monkeypatch.setattr(torch.cuda, "graph", graph)
    worked = []

    def work():
        worked.append(gpu.now())
        return torch.ones(1)

    if fails:
        with pytest.raises(RuntimeError, match="invalidated"):
            cuda_graph(work)
    else:
        assert cuda_graph(work)[0] == "replay"
    assert gpu.events[-1] == "here: waits for stream 1"
    assert worked == ["stream 1"] * (WARM_UP + 1) and modes == [("stream 1", "thread_local")]
    assert gpu.now() == "here" and gpu.events[0] == "stream 1: waits for here"
