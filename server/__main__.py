"""`python -m server`, what `make serve` runs: the HTTP server by the environment's settings."""

import sys

from basics import log as lines
from basics.errors import Failure
from basics.settings import Settings
from server.serving import serve


def main() -> int:
    try:
        settings = Settings.read().model_copy(update={"mode": "http"})
        lines.set_up(settings.log_level, as_json=bool(settings.endpoint_id))
        return serve(settings)
    except Failure as failure:
        sys.stderr.write(f"{failure.code}: {failure.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
