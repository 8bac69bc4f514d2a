"""Files at an address (``https://``, ``s3://``), read through fsspec."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdfair_audit.errors import AuditError, quoted

SECONDS = 20  # that a server may take to answer
NEEDS = {"http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


def is_address(path: str) -> bool:
    """Whether a path has a protocol."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", path) is not None


def matches(address: str, suffixes: Sequence[str]) -> list[str]:
    """The files that an address, a pattern or a folder stands for."""
    system, path = _system(address)
    protocol = address.partition("://")[0]
    try:
        if protocol.startswith("http"):
            return [address]
        if any(sign in path for sign in "*?["):
            found = [str(p) for p in system.glob(path)]
        elif system.isdir(path):
            found = [str(p) for p in system.find(path) if str(p).lower().endswith(tuple(suffixes))]
        else:
            return [address]
    except Exception as error:
        raise _silent(address, error) from error
    if not found:
        raise AuditError(f"there is no file {quoted(address, 200)}")
    return [f"{protocol}://{path}" for path in sorted(found)]


def fetch(address: str, folder: Path, engine: Any) -> str:
    """Make a file at an address readable.

    Parquet is left where it is, and DuckDB reads what it needs of it; anything else is copied.

    Returns
    -------
    str
        The address, or the path of the copy.
    """
    system, path = _system(address)
    try:
        with system.open(path, "rb") as file:
            if file.read(4) == b"PAR1" and system.info(path).get("size"):
                engine.con.register_filesystem(system)
                return address
            name = fnmatch.translate(Path(path).name) and Path(path.partition("?")[0]).name
            copy = folder / f"{len(list(folder.iterdir()))}" / (name or "table")
            copy.parent.mkdir()
            system.get_file(path, str(copy))
            return str(copy)
    except AuditError:
        raise
    except FileNotFoundError:
        raise AuditError(f"there is no file {quoted(address, 200)}") from None
    except Exception as error:
        raise _silent(address, error) from error


def _system(address: str) -> tuple[Any, str]:
    import fsspec

    protocol = address.partition("://")[0]
    options: dict[str, Any] = {}
    if protocol.startswith("http"):
        try:
            import aiohttp
        except ImportError:
            raise AuditError(f"{protocol}:// needs the package aiohttp (pip install it)") from None
        options["client_kwargs"] = {
            "timeout": aiohttp.ClientTimeout(connect=SECONDS, sock_read=SECONDS)
        }
    elif protocol == "s3":
        options["config_kwargs"] = {
            "connect_timeout": SECONDS,
            "read_timeout": SECONDS,
            "retries": {"max_attempts": 1},
        }
    try:
        return fsspec.core.url_to_fs(address, **options)
    except ImportError:
        needed = NEEDS.get(protocol, "a package of fsspec's")
        raise AuditError(f"{protocol}:// needs the package {needed} (pip install it)") from None
    except ValueError as error:
        raise AuditError(f"cannot read {quoted(address, 200)}: {error}") from None


def _silent(address: str, error: Exception) -> AuditError:
    if isinstance(error, TimeoutError):
        return AuditError(f"{quoted(address, 200)} does not answer within {SECONDS} seconds")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return AuditError(f"cannot read {quoted(address, 200)}: {reason}")
