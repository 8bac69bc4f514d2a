"""Beyond one machine: what a sweep costs, a store in a bucket, sweeps on Ray, runs that travel.

The core finds what is here by entry points (``kdfair.commands``, ``kdfair.engines``,
``kdfair.stores``) and imports none of it.
"""
