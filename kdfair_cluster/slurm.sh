#!/bin/bash
# A study on several nodes of a Slurm cluster: Ray is started by the job and ends with it.
#
#   sbatch --nodes=4 --gpus-per-node=8 kdfair_cluster/slurm.sh cifar100 --profile paper \
#       --runs /shared/runs
#
# Everything after the script's name goes to `kdfair run`; --runs must be a folder that all nodes
# share, or a bucket. Killed or out of time, the same command goes on from the last checkpoints.
#SBATCH --job-name=kdfair
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "slurm.sh: give the arguments of kdfair run, such as: cifar100 --runs /shared/runs" >&2
    exit 2
fi
port=${RAY_PORT:-6379}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | awk 'NR == 1')
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
export RAY_USAGE_STATS_ENABLED=0
# a secret of this job's own, which srun hands to its nodes: nobody else can use its Ray
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}

# ends Ray on every node, however the job ends
pids=()
finish() {
    code=$?
    trap - EXIT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    exit "$code"
}
trap finish EXIT
trap 'exit 143' TERM

common=(--block --disable-usage-stats --num-cpus "${SLURM_CPUS_PER_TASK:-1}")
if [ -n "${SLURM_GPUS_ON_NODE:-}" ]; then common+=(--num-gpus "$SLURM_GPUS_ON_NODE"); fi
srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$address" --port="$port" "${common[@]}" &
pids+=($!)
others=$((SLURM_JOB_NUM_NODES - 1))
if [ "$others" -gt 0 ]; then
    srun --nodes="$others" --ntasks="$others" --exclude="$head" \
        ray start --address="$address:$port" "${common[@]}" &
    pids+=($!)
fi

# the head answers, and all nodes are there
for _ in $(seq 60); do
    found=$(ray status --address="$address:$port" 2>/dev/null | grep -c "node_" || true)
    if [ "$found" -ge "$SLURM_JOB_NUM_NODES" ]; then break; fi
    sleep "${KDFAIR_WAIT:-2}"
done

kdfair run "$@" --ray "$address:$port" &
run=$!
pids+=("$run")
wait "$run"
