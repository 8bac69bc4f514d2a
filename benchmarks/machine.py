"""What a benchmark ran on, as it is stored beside its rows."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """Versions, processor, threads and cores."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    """What kind, and whether it multiplies bfloat16."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    name = text.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    return name + (", AVX512-BF16" if "avx512_bf16" in text else "")
