"""Guards of the house: which way rooms import, what may be where, what the locks hold."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["handler", "server", "operations", "speech", "models", "voices", "listening", "store", "basics"]
"""Top to bottom."""
ROOMS = FLOORS[1:]
OUTSIDE = {"builder", "bench", "client", "deploy", "tests"}
"""Folders that ship in no image."""
HEAVY = {"torch", "transformers", "runpod", "boto3", "botocore", "fastapi"}
ELSEWHERE = {"torch", "chatterbox", "TTS", "faster_whisper", "perth"}
"""What only other environments have; a room imports it where it knows that it is there."""
LOCKS = ROOT / "builder" / "locks"


@cache
def tracked() -> tuple[Path, ...]:
    """What is committed or about to be."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def shipped() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and top(path) in FLOORS]


def written() -> list[Path]:
    """Our Python, tests left out."""
    return [path for path in tracked() if path.suffix == ".py" and top(path) != "tests"]


def top(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Top names of everything that the file imports, wherever in it."""
    nodes = list(ast.walk(tree(path)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_downwards(room: str):
    above = set(FLOORS[: FLOORS.index(room)]) | OUTSIDE
    for path in shipped():
        if top(path) == room and path.name != "__main__.py":
            climbs = imported(path) & above
            assert not climbs, f"{shown(path)} reaches up to {sorted(climbs)}"


def test_importing_the_handler_loads_nothing_heavy():
    code = f"import handler, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_listing_the_models_loads_nothing_heavy():
    code = "import sys\nfrom models.catalogue import card\nfrom models.groups import table\n"
    code += f"[card(entry) for entry in table()]\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_importing_a_room_starts_nothing_and_prints_nothing():
    """Files that only an engine's `load` imports may need what its environment alone has."""
    names = sorted({shown(path).removesuffix(".py").replace("/", ".") for path in shipped() if path.name[0] != "_"})
    code = f"import importlib, threading\nfor name in {names!r}:\n    try: importlib.import_module(name)\n"
    code += f"    except ModuleNotFoundError as error:\n        if error.name not in {ELSEWHERE!r}: raise\n"
    code += "assert threading.active_count() == 1, threading.enumerate()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("folder", [*ROOMS, *sorted(OUTSIDE), "docs"])
def test_git_ignores_no_room(folder: str):
    asked = (f"{folder}/new.py", f"{folder}/deeper/new.py", f"{folder}/data.json")
    found = subprocess.run(("git", "check-ignore", "--no-index", *asked), cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == ""


def test_every_file_says_what_it_is_for():
    silent = [shown(path) for path in written() if not ast.get_docstring(tree(path))]
    assert not silent


def test_no_file_is_over_four_hundred_lines():
    long = {shown(path): count for path in tracked() if path.suffix == ".py" and (count := lines(path)) > 400}
    assert not long


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_function_is_over_fifty_lines():
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in written()
        for node in ast.walk(tree(path))
        if isinstance(node, kinds) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert not long


def test_only_the_settings_and_the_door_read_the_environment():
    allowed = {"basics/settings.py", "handler.py"}
    readers = {shown(path) for path in shipped() if reads_environment(tree(path))}
    assert readers <= allowed


def reads_environment(module: ast.Module) -> bool:
    named = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    taken = {alias.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool({"environ", "getenv", "environb"} & (named | taken))


REGISTRY = re.compile(r"(py[p]i|[p]ythonhosted|[n]pmjs|[y]arnpkg|(deb|archive)\.[d]ebian|anacond[a])\.(org|com)")


def test_no_committed_file_names_a_package_registry():
    named = [shown(path) for path in tracked() if REGISTRY.search(path.read_bytes().decode("utf-8", "ignore"))]
    assert not named


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_lock_holds_hashes_and_no_address(lock: Path):
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)
    pins = re.findall(r"^[a-z0-9].*$(?:\n[ #].*$)*", text, re.MULTILINE)
    bare = [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin]
    assert pins
    assert not bare


@pytest.mark.parametrize("source", sorted(LOCKS.glob("*.in")), ids=lambda path: path.stem)
def test_every_pin_is_exact_and_in_its_lock(source: Path):
    locked = set(re.findall(r"^([a-z0-9.-]+==[^ ;\\]+)", source.with_suffix(".txt").read_text(), re.MULTILINE))
    wanted = {line.split("#")[0].split(";")[0].strip() for line in pins(source)}
    assert wanted <= locked, f"run `make lock`: {sorted(wanted - locked)}"


@pytest.mark.parametrize("name", ["dev", "modern", "pocket"])
def test_every_environment_has_what_embedded_has_in_the_same_versions(name: str):
    """By name and version: where it may be left out differs with what else asks for it."""
    embedded, other = (
        set(re.findall(r"^([a-z0-9][^ ;\\]*==[^ ;\\]+)", (LOCKS / f"{lock}.txt").read_text(), re.MULTILINE))
        for lock in ("embedded", name)
    )
    assert embedded <= other


def test_every_library_that_a_room_imports_is_pinned():
    """Adapters in models/engines may need what only their own environment has."""
    everywhere = {distribution(line) for line in pins(LOCKS / "embedded.in")}
    somewhere = {distribution(line) for source in LOCKS.glob("*.in") for line in pins(source)}
    providers = packages_distributions()
    missing = []
    for path in shipped():
        allowed = somewhere if "engines" in path.relative_to(ROOT).parts else everywhere
        for name in imported(path) - set(FLOORS) - set(sys.stdlib_module_names) - ELSEWHERE:
            if not allowed & {canonical(provider) for provider in providers.get(name, [name])}:
                missing.append(f"{shown(path)} imports {name}")
    assert not missing, "pin it in builder/locks/embedded.in and `make lock`"


def pins(source: Path) -> list[str]:
    return [line for line in source.read_text().splitlines() if re.match(r"[a-z0-9]", line)]


def distribution(pin: str) -> str:
    return canonical(pin.partition("==")[0])


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_image_takes_every_room_and_nothing_else():
    entries = (ROOT / ".dockerignore").read_text().splitlines()
    assert entries[entries.index("*") - 1].startswith("#")
    assert {line.strip("!/") for line in entries if line.startswith("!")} == {
        "handler.py",
        "test_input.json",
        "LICENSE",
        "builder",
        *ROOMS,
    }


def test_every_command_that_the_papers_name_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    papers = [path for path in tracked() if path.suffix == ".md"]
    named = {name for path in papers for name in re.findall(r"`make ([a-z]+)", path.read_text(encoding="utf-8"))}
    assert {"run", "test", "quick", "engines", "serve", "check", "bench", "soak", "image", "help"} <= targets
    assert named <= targets


def test_every_link_between_the_papers_leads_somewhere():
    papers = [path for path in tracked() if path.suffix == ".md"]
    links = {(path, link) for path in papers for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", path.read_text())}
    broken = sorted(f"{shown(path)} -> {link}" for path, link in links if not (path.parent / link).exists())
    assert not broken
