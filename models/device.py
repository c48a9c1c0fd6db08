"""Where models compute, and how much memory there is. Imports torch only where a card is used."""

import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from basics.errors import Failure
from basics.settings import Settings

GIGABYTE = 1e9
SHARE = 0.9
"""Of all memory; the rest is for the driver, the context and the interpreter."""
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""What a container sees of NVIDIA's driver, on Linux and under Windows' subsystem."""
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def device(settings: Settings) -> str:
    """`cuda:0` or `cpu`. `auto` takes the card where torch is installed and a driver is there."""
    wanted = settings.device.strip().lower()
    if wanted == "auto":
        wanted = "cuda" if find_spec("torch") and any(driver.exists() for driver in DRIVERS) else "cpu"
    if wanted == "cuda":
        return f"cuda:{settings.gpu_device_id}"
    if wanted != "cpu" and not wanted.startswith("cuda:"):
        raise Failure("misconfigured", "DEVICE is `auto`, `cpu`, `cuda` or `cuda:<number>`.")
    return wanted


def budget(settings: Settings, device: str) -> float:
    """Gigabytes for all residents: `VRAM_BUDGET_GB`, else 90 % of what the device has."""
    if settings.vram_budget_gb is not None:
        return settings.vram_budget_gb
    return SHARE * (_card_bytes(device) if device.startswith("cuda") else _machine_bytes()) / GIGABYTE


def release() -> None:
    """Gives back what an engine that was let go of still holds."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _card_bytes(device: str) -> float:
    import torch  # type: ignore[import-not-found,unused-ignore]

    try:
        return float(torch.cuda.get_device_properties(device).total_memory)
    except (RuntimeError, AssertionError) as error:
        raise Failure("misconfigured", f"DEVICE: there is no card at `{device}`.") from error


def _machine_bytes() -> float:
    """Of the container, where it has a limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [path.read_text().strip() for path in LIMITS if path.is_file()]
    return float(min([memory, *(int(limit) for limit in limits if limit.isdecimal())]))
