"""``python -m kdfair_core``: see :mod:`kdfair_core.cli`."""

import sys
import warnings

from kdfair_core.cli import main

if __name__ == "__main__":
    warnings.formatwarning = lambda message, *rest, **more: f"warning: {message}\n"
    sys.exit(main())
