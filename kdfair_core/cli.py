"""The command line: ``kdfair COMMAND``, or ``python -m kdfair_core COMMAND``.

The commands ``studies``, ``run`` and ``publish`` are the core's. Those of other packages
are found by entry points of the group ``kdfair.commands``, each a module with ``SUMMARY``,
``add_arguments`` and ``main``, so that the core imports none of them.

What a command needs is imported when it runs, so that ``--help`` is quick. What is wrong with an
argument or a file is said in one sentence, with exit code 2.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from kdfair_core.progress import Progress
    from kdfair_core.runs import RunStore

PROG = "kdfair"
GROUP = "kdfair.commands"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Set ``KDFAIR_TRACEBACK`` to see where an error comes from.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _Parser(
        prog=PROG,
        description="Measure and show what distillation does to class bias and fairness.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run: Callable[[argparse.Namespace], int] | None = None
    for name, (summary, prepare) in _commands(argv[:1]).items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[:1].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        if argv[:1] == [name]:
            run = prepare(command)
    try:
        args = parser.parse_args(argv)
        assert run is not None
        code = run(args)
        sys.stdout.flush()
        return code
    except SystemExit as end:  # argparse ends the process; a function had better return
        return int(end.code or 0)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        if os.environ.get("KDFAIR_TRACEBACK"):
            raise
        print(f"{PROG} {argv[0]}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130


def _commands(asked: list[str]) -> dict[str, tuple[str, Callable]]:
    """Name, summary and preparation of each command; only what is asked for is imported."""
    found = dict(COMMANDS)
    others = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    for name in sorted(others):
        if asked == [name] or not asked or asked[0].startswith("-"):
            module = others[name].load()
            found[name] = (module.SUMMARY, partial(_prepare_other, module))
        else:
            found[name] = ("", _prepare_other)
    return found


def _prepare_other(module: Any, parser: argparse.ArgumentParser) -> Callable:
    module.add_arguments(parser)
    return module.main


# arguments


def _number(what: str, low: float, high: float, expected: str, kind: type = float) -> Callable:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{what} {text!r}: expected {expected}")
        return int(value) if value == int(value) else value

    return parse


_TINY = sys.float_info.min
_temperature = _number("temperature", _TINY, 1e9, "a positive number, such as 1, 4 or 20")
_alpha = _number("alpha", 0, 1, "a number from 0 to 1, such as 0.8")
_seed = _number("seed", 0, 2**31 - 1, "a whole number from 0 on", int)
_minutes = _number("time limit", _TINY, 1e9, "a positive number of minutes")


def _add_places(parser: argparse.ArgumentParser, *, data: bool = True) -> None:
    parser.add_argument(
        "--runs", metavar="DIR", default="runs", help="the run store: a folder or s3://... (./runs)"
    )
    parser.add_argument(
        "--results", metavar="DIR", help="published results ($KDFAIR_RESULTS, data)"
    )
    if data:
        parser.add_argument("--data", metavar="DIR", help="data sets ($KDFAIR_DATA, ./datasets)")


def _store(args: argparse.Namespace) -> RunStore:
    from kdfair_core.runs import open_store

    return open_store(args.runs)


# studies


def _prepare_studies(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    parser.add_argument("study", nargs="*", help="only these; my_study.py for those of a file")
    _add_places(parser, data=False)
    return _studies


def _studies(args: argparse.Namespace) -> int:
    from kdfair_core import studies
    from kdfair_core.progress import progress

    chosen: list[studies.Study] = []
    for name in args.study or studies.names():
        of_file = name.endswith(".py")
        chosen += studies.in_file(name).values() if of_file else [studies.get(name)]
    for study in chosen:
        groups = f" by {', '.join(study.attributes)}" if study.attributes else ""
        print(f"{study.name}: {study.title} ({study.question}{groups})")
        for profile in study.profiles:
            found = progress(study, profile, _store(args), root=args.results)
            print("\n".join(f"    {line}" for line in _described(found)))
    return 0


def _described(found: Progress) -> list[str]:
    """Return lines on what is measured of a study under a profile, and what is missing."""
    command = f"{PROG} run {found.study.name} --profile {found.profile}"
    lines = []
    if found.manifest:
        runs = found.manifest["runs"]
        ds = [run for run in runs if run["role"] == "ds"]
        null = [run for run in runs if run["role"] == "null"]
        rest = [run for run in runs if run["role"] != "null"]
        parts = [f"{len(runs)} runs", f"seeds {_values(rest, 'seed')}"]
        parts += [f"null control {_values(null, 'seed')}"] if null else []
        parts += [f"T {_values(ds, 'temperature')}", f"alpha {_values(ds, 'alpha')}"] if ds else []
        parts += [f"soft scale {_values(ds, 'soft_scale')}"] if ds else []
        hours = found.manifest.get("hours", 0)
        time_spent = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
        parts += [f"{time_spent} on {', '.join(found.manifest.get('devices', []))}"]
        lines.append(f"measured, published {found.manifest['created'][:10]}: {'; '.join(parts)}")
    if found.problem:
        lines.append(found.problem)
    if found.stored:
        lines.append(f"in the run store and not yet published: {_counted(found.stored)}")
    if found.missing:
        whole = not (found.published or found.stored)
        what = "all" if whole else _counted(found.missing)
        total = len(found.published) + len(found.stored) + len(found.missing)
        lines.append(f"missing: {what} of {total} runs ({command})")
    lines = lines or ["nothing to measure"]
    indent = " " * 9
    return [f"{found.profile:<8} {lines[0]}", *(indent + line for line in lines[1:])]


def _counted(identities: list[dict[str, Any]]) -> str:
    return f"{len(identities)} (seeds {_values(identities, 'seed')})"


def _values(rows: Sequence[dict[str, Any]], key: str) -> str:
    """Return the values of a column in short: 1-10, 20, 30."""
    values = sorted({row[key] for row in rows})
    parts: list[list[Any]] = []
    for value in values:
        if parts and isinstance(value, int) and value - 1 == parts[-1][-1]:
            parts[-1].append(value)
        else:
            parts.append([value])
    spans = (p if len(p) < 3 else [f"{p[0]}-{p[-1]}"] for p in parts)
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for p in spans for v in p)


# run


def _prepare_run(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    parser.add_argument("study", nargs="?", help="a name out of the command studies")
    parser.add_argument("--profile", default="laptop", help="paper, laptop or smoke (laptop)")
    parser.add_argument(
        "--next",
        action="store_true",
        help="train the next missing seed of any study, or of STUDY; with a time limit, one after "
        "the other until it is reached",
    )
    few: dict[str, Any] = {"nargs": "+", "help": "in place of the profile's"}
    parser.add_argument("--seeds", type=_seed, metavar="SEED", **few)
    parser.add_argument("--temperatures", type=_temperature, metavar="T", **few)
    parser.add_argument("--alpha", type=_alpha, metavar="ALPHA", dest="alphas", **few)
    parser.add_argument("--soft-scale", choices=["T2", "none"], dest="soft_scales", **few)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... (auto: a GPU if any)")
    parser.add_argument(
        "--precision",
        choices=["fp32", "tf32", "bf16"],
        help="in place of the recipe's; such runs are of another recipe and not published",
    )
    parser.add_argument(
        "--compile",
        dest="compiled",
        action=argparse.BooleanOptionalAction,
        help="run networks for images as compiled programs, or never (where the start-up pays)",
    )
    parser.add_argument("--together", type=int, metavar="N", help="seeds at a time on a GPU")
    parser.add_argument(
        "--time-limit",
        type=_minutes,
        metavar="MINUTES",
        help="then stop; the same command goes on from there",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="train on Ray: on this machine's devices, or those of a cluster (auto, host:port)",
    )
    parser.add_argument(
        "--split", type=int, metavar="N", help="with --ray, groups of each seed's students"
    )
    parser.add_argument(
        "--gpus-per-teacher",
        type=int,
        default=1,
        metavar="N",
        help="devices that share each teacher: GPUs, or processes on a CPU (1)",
    )
    parser.add_argument("--publish", action="store_true", help="publish what is stored afterwards")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_places(parser)
    return _run


def _run(args: argparse.Namespace) -> int:
    from kdfair_core import studies

    narrowing = ("seeds", "temperatures", "alphas", "soft_scales")
    if args.next:
        given = [name for name in narrowing if getattr(args, name)]
        if given:
            raise ValueError(f"--next chooses the {given[0]} itself: leave {given[0]} out")
        return _run_next(args)
    if args.study is None:
        raise ValueError(f"name a study out of {', '.join(studies.names())}, or give --next")
    studies.get(args.study).profile(args.profile)
    written = _train(args, args.study, {name: getattr(args, name) for name in narrowing})
    name = studies.get(args.study).name
    print(f"{name}/{args.profile}: {written} runs written to {args.runs}")
    if args.publish and _store(args).names(name, args.profile):
        _publish_study(args, args.study)
    return 0


def _train(args: argparse.Namespace, study: str, options: dict[str, Any]) -> int:
    from kdfair_core import training
    from kdfair_core.training.memory import kept_memory

    same = "device precision compiled together time_limit ray split gpus_per_teacher"
    for name in same.split():
        options[name] = getattr(args, name)
    places = {"store": _store(args), "data_root": args.data}
    with kept_memory():
        return training.run_study(study, args.profile, progress=not args.quiet, **places, **options)


def _run_next(args: argparse.Namespace) -> int:
    """Train missing pieces: one, or as many as the time limit allows."""
    from kdfair_core import studies
    from kdfair_core.datasets import DatasetMissing
    from kdfair_core.progress import missing_pieces

    names = [studies.get(args.study).name] if args.study else studies.names()
    if not any(args.profile in studies.get(name).profiles for name in names):
        known = dict.fromkeys(p for name in names for p in studies.get(name).profiles)
        raise ValueError(f"unknown profile {args.profile!r}; expected one of {', '.join(known)}")
    end = math.inf if args.time_limit is None else time.monotonic() + 60 * args.time_limit
    absent: dict[str, str] = {}
    touched: dict[str, int] = {}
    while True:
        left = [name for name in names if name not in absent]
        piece = next(missing_pieces(left, args.profile, _store(args), root=args.results), None)
        if piece is None:
            break
        study, options = piece
        print(f"next: {study}/{args.profile}, seed {options['seeds'][0]}", flush=True)
        if end < math.inf:
            args.time_limit = (end - time.monotonic()) / 60
        try:
            written = _train(args, study, options)
        except DatasetMissing as error:
            print(f"{study} is passed over: {error}", flush=True)
            absent[study] = str(error)
            continue
        touched[study] = touched.get(study, 0) + written
        if end == math.inf or not written or time.monotonic() >= end:
            break
    for name, written in touched.items():
        print(f"{name}/{args.profile}: {written} runs written to {args.runs}")
        if args.publish and written:
            _publish_study(args, name)
    if not touched and not absent:
        print(f"nothing is missing under profile {args.profile}")
    if not touched and absent:
        raise ValueError(next(iter(absent.values())))
    return 0


# publish


def _prepare_publish(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    parser.add_argument("study", help="a name out of the command studies")
    parser.add_argument("--profile", default="laptop", help="paper, laptop or smoke (laptop)")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="publish what the run store holds and nothing else; without it, runs published "
        "before stay published",
    )
    _add_places(parser)
    return lambda args: _publish_study(args, args.study, replace=args.replace)


def _publish_study(args: argparse.Namespace, name: str, *, replace: bool = False) -> int:
    from kdfair_core import results, studies

    study = studies.get(name)
    study.profile(args.profile)
    store = _store(args)
    if not store.names(study.name, args.profile):
        raise ValueError(
            f"nothing to publish: {store.root} holds no run of study {name!r} under profile "
            f"{args.profile!r}; train with {PROG} run {name} --profile {args.profile}"
        )
    dataset = studies.load_dataset(study, args.profile, args.data)
    folder = results.publish(
        study, args.profile, store, dataset=dataset, root=args.results, replace=replace
    )
    published = results.load(study.name, args.profile, root=args.results)
    kept = len(set(published.runs["name"]) - store.names(study.name, args.profile))
    missing = len(published.manifest["missing"])
    tail = f", {kept} of them kept from before" if kept else ""
    tail += f"; {missing} of the profile are missing" if missing else ""
    print(f"published {len(published.pred)} runs in {folder}{tail}")
    return 0


COMMANDS: dict[str, tuple[str, Callable]] = {
    "studies": ("list every study with what is measured and what is missing", _prepare_studies),
    "run": ("train what is missing of a study", _prepare_run),
    "publish": ("publish the runs of a study under data/", _prepare_publish),
}
