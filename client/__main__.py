"""`python -m client`, which an installation calls `tts`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
