"""Stand-ins for what upstream's modules import and inference never uses: trainers, dashboards, converters.

`with stand_ins():` around the import of chatterbox, f5_tts, vocos or TTS, and nowhere else: afterwards `sys.modules`
is as it was, and what was imported keeps its own reference. A package that is installed is never replaced. A name
that someone does use after all fails by its name. `builder/locks/modern.overrides` leaves the same packages out.
`with hollow(...):` is for one module out of a library whose packages would bring the rest.
"""

import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_ONE_AT_A_TIME = threading.RLock()
"""Two engines may load at once, and `sys.modules` is everybody's."""


class _Absent:
    """A class of a package that is not installed. It may be named and inherited from, and never made."""

    def __init__(self, *_: object, **__: object) -> None:
        raise RuntimeError(f"{type(self).__name__} belongs to a package that inference does without")


class _Settings(dict[str, Any]):
    """What is used of omegaconf's DictConfig: keys that are read as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _resource_filename(package: str, name: str) -> str:
    """setuptools had it in `pkg_resources` until version 81."""
    return str(resources.files(package).joinpath(name))


def absent(name: str) -> type:
    """A class of that name, only to be named."""
    return type(name, (_Absent,), {})


_NAMES: Mapping[str, Mapping[str, object]] = {
    "accelerate": {"Accelerator": absent("Accelerator")},
    "accelerate.utils": {"DistributedDataParallelKwargs": absent("DistributedDataParallelKwargs")},
    "datasets": {"Dataset": absent("Dataset"), "load_from_disk": absent("load_from_disk")},
    "ema_pytorch": {"EMA": absent("EMA")},
    "encodec": {"EncodecModel": absent("EncodecModel")},
    "omegaconf": {"DictConfig": _Settings},
    "pkg_resources": {"resource_filename": _resource_filename},
    "torchcodec": {},
    "wandb": {},
}
"""Names that are read while upstream's modules are imported. coqui-tts only asks whether torchcodec could be found."""


@contextmanager
def stand_ins() -> Iterator[None]:
    with _ONE_AT_A_TIME:
        added = {name: _module(name, names) for name, names in _NAMES.items() if _wanted(name)}
        sys.modules.update(added)
        try:
            with warnings.catch_warnings():  # of upstream's own making, about upstream's own code
                warnings.simplefilter("ignore")
                yield
        finally:
            for name in added:
                sys.modules.pop(name, None)


@contextmanager
def hollow(*packages: str) -> Iterator[None]:
    """Within it, modules of these packages can be imported without what the packages' own `__init__` imports. All of
    one library, its name first. Where the whole of it was imported by somebody, that is used."""
    with _ONE_AT_A_TIME:
        root = packages[0]
        if root in sys.modules:
            yield
            return
        spec = find_spec(root)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"No module named {root!r}", name=root)
        for name in packages:
            module = _module(name, {})
            module.__path__ = [str(Path(spec.submodule_search_locations[0], *name.split(".")[1:]))]
            sys.modules[name] = module
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == root]:
                sys.modules.pop(name)


def _wanted(name: str) -> bool:
    """pkg_resources warns of its end where it is installed; that and nothing else is replaced."""
    package = name.partition(".")[0]
    return package not in sys.modules and (package == "pkg_resources" or find_spec(package) is None)


def _module(name: str, names: Mapping[str, object]) -> ModuleType:
    module = ModuleType(name, "Stands in for a package that is not installed.")
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(names)
    return module
