"""``kdfair plan``: what a study costs before it runs, and how many devices it can keep busy."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdfair_cluster.costs import Rates
    from kdfair_cluster.planning import Cost, Costs

SUMMARY = "say what a study costs, before it runs"
RATE = "h100-eager"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="*", help="names out of the command studies (all)")
    parser.add_argument("--profile", default="paper", help="paper, laptop or smoke (paper)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="devices (1)")
    parser.add_argument("--usd-per-hour", type=float, metavar="USD", help="price of a device hour")
    parser.add_argument("--split", type=int, metavar="N", help="groups of each seed's students")
    parser.add_argument("--rate", default=RATE, help=f"a rate that was measured ({RATE})")
    parser.add_argument("--json", metavar="FILE", help="write the efficiency there too")
    parser.add_argument(
        "--runs", metavar="DIR", help="count what this store lacks, in place of everything"
    )


def main(args: argparse.Namespace) -> int:
    from kdfair_cluster.costs import RATES, Rates
    from kdfair_core import asked, studies

    gpus = asked.count("gpus", args.gpus)
    usd = args.usd_per_hour
    if usd is not None and not 0 <= usd < float("inf"):
        raise ValueError(f"usd-per-hour is {usd:g}; expected a price from 0, such as 2.5")
    rates = Rates(args.rate)
    names = args.study or [n for n in studies.names() if args.profile in studies.get(n).profiles]
    found = [_costs(name, args.profile, rates, args.runs) for name in names]
    print("\n".join(_table([one.cost(gpus, args.split) for one in found], gpus, usd)))
    print(f"\nRate {rates.name}: {RATES[rates.name]}, {_machine(rates.about)}.")
    print("\n".join(_explained(found)))
    print("\nSpeedup over one device, and efficiency:")
    scaling = [one.efficiency() for one in found]
    print("\n".join(_scaling(scaling)))
    if args.json:
        about = rates.about | {"rate": rates.name, "profile": args.profile}
        rows = [row for rows in scaling for row in rows]
        Path(args.json).write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    return 0


def _costs(name: str, profile: str, rates: Rates, runs: str | None) -> Costs:
    from kdfair_cluster.planning import Costs
    from kdfair_core import studies
    from kdfair_core.runs import open_store
    from kdfair_core.training.plan import plan

    study = studies.get(name)
    if runs is None:
        return Costs(study, profile, rates)
    return Costs(study, profile, rates, plan(study, profile, has=open_store(runs).has))


def _machine(about: dict[str, Any]) -> str:
    parts = [about.get("device") or about.get("processor"), f"torch {about['torch']}"]
    parts += [f"recorded {about['recorded']}"] if "recorded" in about else []
    return ", ".join(str(part) for part in parts)


def _table(rows: list[Cost], gpus: int, usd: float | None) -> list[str]:
    lines = [f"{'study':<18}{'steps':>12}{'GPU hours':>11}{'wall':>9}{'USD':>9}{'disk':>10}  split"]
    total_wall = sum(row.wall for row in rows)
    for row in rows:
        lines.append(_line(row.study, row.steps, row.work, row.wall, row.disk, gpus, usd))
        lines[-1] += f"{row.split:>7}"
    if len(rows) > 1:
        steps, disk = (sum(getattr(row, key) for row in rows) for key in ("steps", "disk"))
        work = sum(row.work for row in rows)
        lines.append(_line("one after another", steps, work, total_wall, disk, gpus, usd))
    return lines


def _line(
    name: str, steps: int, work: float, wall: float, disk: int, gpus: int, usd: float | None
) -> str:
    price = "" if usd is None else f"{usd * gpus * wall / 3600:,.2f}"
    return (
        f"{name:<18}{steps:>12,}{work / 3600:>11,.1f}{_time(wall):>9}{price:>9}"
        f"{disk / 1e6:>7,.0f} MB"
    )


def _time(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 96 * 3600 else f"{seconds / 86400:,.1f} d"


_WHY = {
    "measured": "measured",
    "layers": "scaled by layers from the measured row (it waits for kernels to start)",
    "arithmetic": "scaled by multiply-adds from the measured row (a bound; not timed itself)",
}


def _explained(found: list[Costs]) -> list[str]:
    lines = []
    for one in found:
        cost = one.cost(1)
        (teacher, student), nets = cost.stands_on, (one.teacher.name, one.student.name)
        if teacher == student:
            lines.append(f"  {one.study.name}: {nets[0]} and {nets[1]} {_WHY[teacher]}")
        else:
            lines.append(
                f"  {one.study.name}: {nets[0]} {_WHY[teacher]}; {nets[1]} {_WHY[student]}"
            )
    if found[0].rates.name != "cpu":
        lines.append(
            "  Where a precision was not timed, the nearest that was counts: TF32 or bf16."
        )
    lines.append("  The price is that of all devices until the last run ends, idle ones too.")
    lines.append("  Not counted: reading images from disk, the network, evaluation, starting.")
    return lines


def _scaling(found: list[list[dict[str, Any]]]) -> list[str]:
    counts = [row["devices"] for row in found[0]]
    lines = [f"{'devices':<18}" + "".join(f"{n:>12,}" for n in counts)]
    for rows in found:
        cells = (f"{row['speedup']:.1f}x {row['efficiency']:.0%}" for row in rows)
        lines.append(f"{rows[0]['study']:<18}" + "".join(f"{cell:>12}" for cell in cells))
    return lines
