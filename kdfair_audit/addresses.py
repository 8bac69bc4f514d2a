"""Files at an address (``https://``, ``s3://``), read through fsspec."""

from __future__ import annotations

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
    """Make a file at an address readable: the address, or the path of a copy.

    Parquet in a store such as S3 is left there, and DuckDB reads what it needs of it; anything
    else is copied, as a web server need not know how to send a part of a file.
    """
    system, path = _system(address)
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    try:
        with system.open(path, "rb") as file:
            if not protocol.startswith("http") and file.read(4) == b"PAR1":
                if protocol not in engine.con.list_filesystems():
                    engine.con.register_filesystem(system)
                return address
            name = Path(path.partition("?")[0]).name
            copy = folder / f"{len(list(folder.iterdir()))}" / (name or "table")
            copy.parent.mkdir()
            system.get_file(path, str(copy))
            return str(copy)
    except AuditError:
        raise
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


def _silent(address: str, error: BaseException) -> AuditError:
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return AuditError(f"{quoted(address, 200)} does not answer within {SECONDS} seconds")
    if type(causes[-1]) is FileNotFoundError or getattr(causes[-1], "status", 0) == 404:
        return AuditError(f"there is no file {quoted(address, 200)}")
    reason = " ".join(str(causes[-1]).split())[:200] or type(error).__name__
    return AuditError(f"cannot read {quoted(address, 200)}: {reason}")
