"""`python scripts/clone_voice.py --input_dir samples/ --output_voice_id alice`: another name of `voices clone`."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    asked = argparse.ArgumentParser(description="Makes a voice of a folder of recordings.")
    asked.add_argument("--input_dir", "--input-dir", required=True)
    asked.add_argument("--output_voice_id", "--voice-id", required=True)
    known, more = asked.parse_known_args()
    from voices.__main__ import app

    app(["clone", "--input-dir", known.input_dir, "--voice-id", known.output_voice_id, *more])


if __name__ == "__main__":
    main()
