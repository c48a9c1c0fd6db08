"""Cards as the driver's library tells of them, played by a small one of the test's."""

from types import SimpleNamespace
from typing import Any

from basics.graphics import Gpu, gpus


class NVMLError(Exception):
    pass


class NotSupported(NVMLError):
    pass


def driver(**answers: Any) -> Any:
    """Two cards. What is asked of one is answered by its number or raised."""

    def ask(name: str) -> Any:
        def asked(card: int, *rest: Any) -> Any:
            answer = answers.get(name, DEFAULTS[name])[card]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return asked

    return SimpleNamespace(
        NVMLError=NVMLError,
        NVMLError_NotSupported=NotSupported,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=answers.get("init", lambda: None),
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        **{f"nvmlDeviceGet{name}": ask(name) for name in DEFAULTS},
    )


DEFAULTS: dict[str, list[Any]] = {
    "Name": ["small", "large"],
    "MemoryInfo": [SimpleNamespace(total=24 << 30, used=6 << 30), SimpleNamespace(total=80 << 30, used=0)],
    "UtilizationRates": [SimpleNamespace(gpu=50), SimpleNamespace(gpu=0)],
    "Temperature": [60, 30],
}


def test_each_card_is_told_with_what_it_does() -> None:
    assert gpus(driver()) == [Gpu(0, "small", 24.0, 6.0, 50, 60), Gpu(1, "large", 80.0, 0.0, 0, 30)]


def test_what_a_card_does_not_tell_is_unknown_and_not_nought() -> None:
    told = gpus(driver(UtilizationRates=[NotSupported(), NotSupported()], Temperature=[60, NotSupported()]))
    assert [(card.utilisation, card.temperature) for card in told] == [(None, 60), (None, None)]


def test_a_card_that_is_lost_does_not_hide_the_others() -> None:
    assert [card.name for card in gpus(driver(MemoryInfo=[NVMLError("GPU is lost"), DEFAULTS["MemoryInfo"][1]]))] == [
        "large"
    ]


def test_without_a_driver_there_are_no_cards() -> None:
    def init() -> None:
        raise NVMLError("no driver")

    assert gpus(driver(init=init)) == []
