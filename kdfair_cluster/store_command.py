"""``kdfair store pack`` and ``unpack``: see :mod:`kdfair_cluster.packing`."""

from __future__ import annotations

import argparse

SUMMARY = "pack runs and checkpoints to travel, and unpack them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="what", metavar="pack|unpack", required=True)
    one = parts.add_parser("pack", help="write runs and checkpoints as parts OUT.001, OUT.002, ...")
    one.add_argument("out", metavar="OUT")
    one.add_argument("study", nargs="?", help="only this study's")
    one.add_argument("--part-mib", type=float, default=16, metavar="MIB", help="largest part (16)")
    two = parts.add_parser("unpack", help="check the parts of a pack and merge them into the store")
    two.add_argument("parts", nargs="+", metavar="PART")
    for one_of_both in (one, two):
        one_of_both.add_argument("--runs", metavar="DIR", default="runs", help="the store (./runs)")


def main(args: argparse.Namespace) -> int:
    from kdfair_cluster.packing import pack, unpack
    from kdfair_core.runs import RunStore

    if "://" in args.runs:
        raise ValueError(f"runs is {args.runs}; expected a folder: a bucket needs no packs")
    store = RunStore(args.runs)
    if args.what == "pack":
        paths = pack(store, args.out, study=args.study, part_mib=args.part_mib)
        print(f"packed {args.runs} into {len(paths)} parts, {paths[0]} to {paths[-1]}")
    else:
        runs, checkpoints = unpack(args.parts, store)
        print(f"merged {runs} runs and {checkpoints} checkpoints into {args.runs}")
    return 0
