"""What knowledge distillation does to a model beyond its accuracy.

The modules form one direction, each importing only from those to its left::

    studies -> datasets -> models -> distillation -> training -> runs -> metrics
            -> results -> claims -> charts -> notebooks -> pages

Nothing here imports torch until a network is built or trained.

``audit(...)`` asks the studies' questions of models of your own; see :mod:`kdfair_core.auditing`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdfair_core.auditing import audit

__all__ = ["__version__", "audit"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "audit":  # imported when used, so that importing the package stays quick
        from kdfair_core.auditing import audit

        return audit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
