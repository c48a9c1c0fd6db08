"""The cards in this machine, as their driver reports them. A machine without a driver has none."""

from dataclasses import dataclass
from typing import Any

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    index: int
    name: str
    memory_gb: float
    used_gb: float
    utilisation: int
    """Percent of the last sample period in which the card computed."""
    temperature: int
    """Degrees Celsius."""


def gpus() -> list[Gpu]:
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_read(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _read(nvml: Any, index: int) -> Gpu:
    card = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(card)
    return Gpu(
        index=index,
        name=str(nvml.nvmlDeviceGetName(card)),
        memory_gb=round(memory.total / GIB, 2),
        used_gb=round(memory.used / GIB, 2),
        utilisation=int(nvml.nvmlDeviceGetUtilizationRates(card).gpu),
        temperature=int(nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU)),
    )
