"""The processes that share a network: started on this machine, watched, ended together.

Each is a Python of its own. The first trains, stores and tells its steps; the others help it. One
that fails is named, and the others are ended; all of them end when this process is gone.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
import torch.distributed as dist

from kdfair_cluster.data_parallel import (
    Finished,
    SharedLearners,
    SharedViews,
    shared_checkpoints,
)
from kdfair_cluster.jobs import Job
from kdfair_core.runs import open_store
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.plan import Sweep
from kdfair_core.training.running import store_runs
from kdfair_core.training.study import pick_device
from kdfair_core.training.sweep import train_sweep

GRACE = 1.0
"""Seconds in which the others of a process that failed may say what they know."""

_PROGRAM = "from kdfair_cluster.processes import main; main()"


class ProcessFailed(RuntimeError):
    """One of the processes that shared a network ended without a result."""


def train_shared(job: Job, sweep: Sweep, processes: int, tick: Callable[[int], Any]) -> None:
    """Train and store a sweep's teacher in several processes of this machine.

    Parameters
    ----------
    job : Job
    sweep : Sweep
        Only its teacher is trained.
    processes : int
    tick : callable
        Told of finished steps.

    Raises
    ------
    OutOfTime
        When the job's time is over; what was done is in the checkpoint.
    ValueError, OSError, ProcessFailed
        What one of them said.
    """
    told: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
    threads = max(1, torch.get_num_threads() // processes)
    running: list[subprocess.Popen] = []
    ears: list[threading.Thread] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rank in range(processes):
                part = (job, sweep, rank, processes, threads, str(Path(folder) / "meeting"))
                process, ear = _start(_sent(part), rank, told)
                running.append(process)
                ears.append(ear)
            _wait(running, told, tick)
        finally:
            for process in running:
                process.kill()
            for process, ear in zip(running, ears, strict=True):
                process.wait()
                ear.join()
                for pipe in (process.stdin, process.stdout):
                    assert pipe is not None
                    pipe.close()


def _wait(running: list[subprocess.Popen], told: queue.Queue, tick: Callable[[int], Any]) -> None:
    failed: list[Exception] = []
    until = float("inf")
    while time.monotonic() < until:
        try:
            rank, said = told.get(timeout=min(GRACE, max(0.0, until - time.monotonic())))
        except queue.Empty:
            continue
        if said is None:
            code = running[rank].wait()
            if code:  # it was killed, such as for memory: what the others say follows from that
                signal = f"by signal {-code}" if code < 0 else f"with code {code}"
                failed.insert(0, ProcessFailed(f"process {rank} of a teacher ended {signal}"))
                until = 0
        elif "steps" in said:
            tick(said["steps"])
        elif "failed" in said:
            kinds = {"ValueError": ValueError, "OSError": OSError}
            failed.append(kinds.get(said["kind"], ProcessFailed)(said["failed"]))
            until = min(until, time.monotonic() + GRACE)
        elif "late" in said:
            raise OutOfTime
        elif "stored" in said:
            return
    raise failed[0]


def _sent(part: tuple) -> bytes:
    try:
        return pickle.dumps(part)
    except Exception:  # a study out of a file, whose functions have no module
        try:
            from ray import cloudpickle
        except ImportError:
            raise ValueError(
                "gpus_per_teacher with a study out of a file needs Ray: pip install "
                "'kdfair[cluster]'"
            ) from None
        return cloudpickle.dumps(part)


def _start(
    content: bytes, rank: int, told: queue.Queue
) -> tuple[subprocess.Popen, threading.Thread]:
    path = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for this process, which ends the others
    )
    assert process.stdin is not None and process.stdout is not None
    lines = process.stdout

    def listen() -> None:
        for line in lines:
            told.put((rank, json.loads(line)))
        told.put((rank, None))

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    process.stdin.write(len(content).to_bytes(8, "little") + content)
    process.stdin.flush()
    return process, ear


def main() -> None:
    """What such a process does."""
    source, lines = sys.stdin.buffer, os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a study prints is no message
    part: tuple[Any, ...] = pickle.loads(source.read(int.from_bytes(source.read(8), "little")))
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()

    def tell(**said: Any) -> None:
        lines.write(json.dumps(said) + "\n")
        lines.flush()

    try:
        _train(*part, tell=tell)
    except Finished:
        tell(done=True)
    except OutOfTime:
        tell(late=True)
    except Exception as error:  # whatever a study or a device can do
        first = (str(error).strip().splitlines() or [""])[0]
        kind = next((k for k in (ValueError, OSError) if isinstance(error, k)), None)
        name = "" if kind else f"{type(error).__name__}: "
        tell(kind=kind and kind.__name__, failed=name + first)
    time.sleep(5 * GRACE)  # the first process to end would be taken for the one that failed
    os._exit(0)


def _end_with(source: IO[bytes]) -> None:
    source.read()  # until the process that started this one is gone
    os._exit(1)


def _train(
    job: Job,
    sweep: Sweep,
    rank: int,
    processes: int,
    threads: int,
    meeting: str,
    *,
    tell: Callable[..., None],
) -> None:
    gpus = job.device == "cuda"
    for library in ("GLOO", "NCCL"):  # all are on this machine
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
    torch.set_num_threads(threads)
    device = pick_device(f"cuda:{rank}" if gpus else job.device)
    if gpus:
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    dist.init_process_group(
        backend, init_method=f"file://{meeting}", rank=rank, world_size=processes
    )
    store = open_store(job.place)
    dataset = job.dataset()
    with kept_memory():
        for finished in train_sweep(
            sweep,
            SharedViews(dataset, device),
            job.networks(dataset),
            checkpoints=shared_checkpoints(store.checkpoint),
            deadline=None if rank else job.deadline(),
            tick=None if rank else lambda steps: tell(steps=steps),
            compiled=False,
            arrange=SharedLearners,
        ):
            for run in finished:
                run.info["processes"] = processes
            store_runs(store, finished)
    tell(stored=True)
