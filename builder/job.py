"""Writes the job that `make run` speaks: test_input.json, with what was given on the command line in its place."""

import argparse
import json
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parent.parent / "test_input.json"
FIELDS = ("text", "voice", "model", "format")


def job(given: dict[str, str], sample: dict[str, Any]) -> dict[str, Any]:
    """Fields that were given empty stay as the sample has them. A new text drops the sample's turns."""
    asked = {field: value for field, value in given.items() if value}
    kept = {field: value for field, value in sample["input"].items() if not (field == "turns" and "text" in asked)}
    return {**sample, "input": {**kept, **asked}}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="builder.job")
    for field in FIELDS:
        parser.add_argument(f"--{field}", default="")
    given = vars(parser.parse_args(arguments))
    print(json.dumps(job(given, json.loads(SAMPLE.read_text(encoding="utf-8")))))


if __name__ == "__main__":
    main()
