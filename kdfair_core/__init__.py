"""The small shared core: knowledge distillation, and what it does to classes and groups.

The modules form one direction, each importing only from those before it::

    files, metrics, datasets, models -> runs -> studies -> distillation -> training -> results

Nothing here imports torch until a network is built or trained. ``README.md`` beside this file walks
through the modules in the order in which data flows.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """``distill`` and ``Recipe``, imported when they are asked for."""
    if name == "distill":
        from kdfair_core.own import distill

        return distill
    if name == "Recipe":
        from kdfair_core.studies import Recipe

        return Recipe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
