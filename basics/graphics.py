"""The cards in this machine, as their driver reports them. A machine without a driver has none."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("worker.graphics")

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    index: int
    name: str
    memory_gb: float
    used_gb: float
    utilisation: int | None
    """Percent of the last sample period in which the card computed. None: it does not tell, as parts of one do."""
    temperature: int | None
    """Degrees Celsius."""


def gpus(nvml: Any = None) -> list[Gpu]:
    """It blocks. `nvml` is the driver's library. A card that cannot be read now is left out."""
    if nvml is None:
        import pynvml as nvml  # type: ignore[import-untyped,no-redef]
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []
    try:
        found = [_read(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
        return [card for card in found if card is not None]
    finally:
        nvml.nvmlShutdown()


def _read(nvml: Any, index: int) -> Gpu | None:
    try:
        card = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = nvml.nvmlDeviceGetMemoryInfo(card)
        return Gpu(
            index=index,
            name=str(nvml.nvmlDeviceGetName(card)),
            memory_gb=round(memory.total / GIB, 2),
            used_gb=round(memory.used / GIB, 2),
            utilisation=_told(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(card).gpu),
            temperature=_told(nvml, lambda: nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU)),
        )
    except nvml.NVMLError as error:
        log.warning("card_unread", extra={"card": index, "why": str(error)})
        return None


def _told(nvml: Any, ask: Callable[[], Any]) -> int | None:
    try:
        return int(ask())
    except nvml.NVMLError_NotSupported:
        return None
