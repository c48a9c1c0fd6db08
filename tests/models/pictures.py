"""Pictures that the choices look at, as plain as a test needs them, and any picture there may be."""

from typing import Any

from hypothesis import strategies as st

from models.costs import Costs
from models.engine import Work
from models.scheduler import Rider, Rules, State

STAGES = ("prefill", "decode", "vocode")
RULES = Rules()


def rider(line: str, order: int = 0, **known: Any) -> Rider:
    """Alone of its job, a started stream aboard with a second in hand, unless told otherwise."""
    told: dict[str, Any] = {
        "job": order,
        "served": order,
        "aboard": True,
        "stream": True,
        "started": True,
        "leads": True,
        "slack": 1.0,
        "seconds": 5.0,
    }
    return Rider(line, order=order, **told | known)


def newcomer(line: str, order: int = 0, **known: Any) -> Rider:
    return rider(line, order, **{"started": False, "slack": 0.0} | known)


def file(line: str, order: int = 0, **known: Any) -> Rider:
    return rider(line, order, **{"stream": False, "started": False, "slack": 0.0} | known)


def work(line: str, stage: str = "speak", size: int = 50, seconds: float = 1.0, least: int = 5) -> Work:
    return Work(line, stage, size, seconds, least)


def state(*riders: Rider, ready: list[Work] | None = None, **known: Any) -> State:
    offers = [work(each.line) for each in riders if each.aboard] if ready is None else ready
    told: dict[str, Any] = {"stages": ("speak",), "riders": riders, "ready": tuple(offers), "room": 8, "rows": 1}
    return State(**told | known)


def costing(seconds: float, sound: float = 1.0, rows: int = 1, size: int = 50) -> Costs:
    costs = Costs()
    costs.learn("speak", rows, size, seconds, sound)
    return costs


@st.composite
def states(draw: st.DrawFn) -> State:
    riders: list[Rider] = []
    started = draw(st.sets(st.integers(0, 4)))
    for order in range(draw(st.integers(0, 12))):
        job = draw(st.integers(0, 4))
        riders.append(
            rider(
                f"line{order}",
                order,
                job=job,
                served=draw(st.integers(0, 20)),
                stream=job < 3,
                started=job in started,
                aboard=draw(st.booleans()),
                leads=all(other.job != job for other in riders),
                slack=draw(st.floats(-5, 90)),
                seconds=draw(st.floats(0.2, 30)),
                rest=draw(st.sampled_from([0.2, 3.0, 40.0, float("inf")])),
                held=draw(st.booleans()),
            )
        )
    costs = Costs()
    for stage in STAGES:
        for _ in range(draw(st.integers(0, 3))):
            costs.learn(
                stage,
                draw(st.integers(1, 8)),
                draw(st.integers(1, 100)),
                draw(st.floats(0, 2)),
                draw(st.floats(0.01, 2)),
            )
    ready = []
    for each in riders:
        for stage in draw(st.sets(st.sampled_from(STAGES))) if each.aboard else ():
            size = draw(st.integers(1, 500))
            seconds = 0.0 if stage == "prefill" else size / 50
            ready.append(Work(each.line, stage, size, seconds, draw(st.integers(1, size))))
    return State(
        STAGES,
        tuple(riders),
        tuple(ready),
        room=draw(st.integers(1, 16)),
        rows=draw(st.integers(1, 8)),
        whole=draw(st.booleans()),
        owed=draw(st.floats(0, 10)),
        costs=costs,
    )
