"""How what is made says that it is synthetic: in the file's tags, in the sound itself, both or not at all.

An engine that watermarks upstream does so in files here too, unless something else is asked for. A stream carries no
watermark: docs/decisions/0021 has the figures.
"""

from collections.abc import Callable

from basics.errors import Failure
from models import catalogue
from models.card import Card
from models.groups import Entry
from models.watermark import Watermark
from operations.wishes import Wishes

Load = Callable[[], Watermark]


def stamping(request: Wishes, entry: Entry, card: Card) -> tuple[bool, Load | None]:
    """Whether there are tags, and what loads the watermark."""
    streams = request.delivery == "stream"
    given = "stamp" in request.model_fields_set
    asked = request.stamp if given else "both" if card.watermarks and not streams else "metadata"
    if asked not in ("watermark", "both"):
        return asked == "metadata", None
    if not card.watermarks:
        hint = "`metadata` says in the file that it is synthetic; `models.get` tells which models watermark."
        raise Failure("not_supported", f"{card.id} has no watermark.", field="stamp", hint=hint)
    if streams:
        message = "A stream carries no watermark: it would hear its first sound a fifth of a second later."
        raise Failure("not_supported", message, field="stamp", hint="Ask for a file, or for `metadata`.")
    return asked == "both", catalogue.engine_class(entry).watermark
