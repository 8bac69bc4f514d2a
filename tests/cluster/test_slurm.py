"""The Slurm script: it is bash, and starts and ends what it should, by stand-ins for the tools."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import kdfair_cluster

SCRIPT = Path(kdfair_cluster.__file__).with_name("slurm.sh")

# Each notes how it was called; srun runs what it is given, ray start stays until it is killed,
# ray status lists those that stay.
TOOLS = {
    "scontrol": "printf 'node1\\nnode2\\n'",
    "srun": 'while [[ "$1" == --* ]]; do shift; done; exec "$@"',
    "hostname": "echo 10.0.0.7 fe80::1",
    "ray": """
echo "token ${#RAY_AUTH_TOKEN} $RAY_AUTH_TOKEN" >> "$LOG.tokens"
if [ "$1" = status ]; then ls "$LOG".node_* 2>/dev/null; exit 0; fi
trap 'echo "ray ended" >> "$LOG"; exit 0' TERM
touch "$LOG.node_$$"
for k in $(seq 600); do sleep 0.1; done""",
    "kdfair": """
echo "token ${#RAY_AUTH_TOKEN} $RAY_AUTH_TOKEN" >> "$LOG.tokens"
if [ -n "${LASTS:-}" ]; then exec sleep "$LASTS"; fi
exit "${CODE:-0}"
""",
}


@pytest.fixture
def job(tmp_path):
    for name, body in TOOLS.items():
        tool = tmp_path / name
        tool.write_text(f'#!/bin/bash\necho "{name} $*" >> "$LOG"\n{body}\n')
        tool.chmod(0o755)
    log = tmp_path / "log"
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LOG": str(log),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "16",
        "SLURM_GPUS_ON_NODE": "8",
        "KDFAIR_WAIT": "0.1",
    }

    def start(*arguments, **more):
        return subprocess.Popen(
            ["bash", SCRIPT, *arguments], env=env | more, stderr=subprocess.PIPE, text=True
        )

    return start, log


def test_the_script_is_bash():
    done = subprocess.run(["bash", "-n", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr


@pytest.mark.parametrize("code", [0, 2])
def test_ray_is_started_on_every_node_and_ended(job, code):
    start, log = job
    process = start("cifar100", "--runs", "/shared/my runs", CODE=str(code))
    assert process.wait(timeout=30) == code
    process.communicate()
    said = log.read_text()
    assert "kdfair run cifar100 --runs /shared/my runs --ray 10.0.0.7:6379" in said
    assert "ray start --head --node-ip-address=10.0.0.7 --port=6379" in said
    assert "srun --nodes=1 --ntasks=1 --exclude=node1 ray start --address=10.0.0.7:6379" in said
    assert said.count("--num-cpus 16 --num-gpus 8") == 4  # srun's note and ray's own
    assert said.count("ray ended") == 2
    tokens = set(Path(f"{log}.tokens").read_text().splitlines())
    assert len(tokens) == 1 and tokens.pop().startswith("token 48 ")  # the job's own, everywhere


def test_a_job_out_of_time_ends_everything(job):
    start, log = job
    process = start("cifar100", LASTS="60")
    while "kdfair run" not in (log.read_text() if log.exists() else ""):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    process.communicate()
    assert log.read_text().count("ray ended") == 2


def test_without_arguments_it_says_what_it_wants(job):
    start, _ = job
    process = start()
    assert process.wait(timeout=30) == 2
    assert "give the arguments of kdfair run" in process.communicate()[1]
