"""SSML: a text that begins like an XML document is one. Reading it is not built; telling a broken one from a
sound one is, with a parser that knows no entities, no document types and no outside.
"""

import re
from typing import Any, NoReturn
from xml.parsers import expat

from basics.errors import Failure
from speech.markup import bad_markup

_BEGINS = re.compile(r"[\s\ufeff]*<(?:speak(?=[\s/>])|\?xml\s|!DOCTYPE\s)", re.IGNORECASE)
_UNKNOWN_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


def is_ssml(text: str) -> bool:
    return _BEGINS.match(text) is not None


def refuse(text: str, field: str) -> NoReturn:
    """`bad_markup` with its position where the document is broken, else `not_supported`."""
    begin = text.index("<")
    if found := _UNKNOWN_ENTITY.search(text, begin):
        raise bad_markup("SSML has no such entity", field, found.start(), "Write `&amp;` for `&`.")
    _parse(text[begin:], begin, field)
    raise Failure(
        "not_supported",
        "Reading SSML is not built yet.",
        field=field,
        hint="Send plain text; `[pause:0.5]` makes a pause and a blank line a paragraph.",
        position=begin,
    )


def _parse(document: str, begin: int, field: str) -> None:
    data = document.encode("utf-8", "replace")
    parser = expat.ParserCreate("utf-8")

    def bad(message: str, byte: int) -> Failure:
        return bad_markup(message, field, begin + len(data[:byte].decode("utf-8", "ignore")))

    def doctype(*_: Any) -> None:
        raise bad("SSML takes no document type", parser.CurrentByteIndex)

    def element(name: str, _: Any) -> None:
        if name.rpartition(":")[2] != "speak":
            raise bad("SSML's outermost element is `speak`", parser.CurrentByteIndex)
        parser.StartElementHandler = None

    parser.StartDoctypeDeclHandler, parser.StartElementHandler = doctype, element
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise bad(f"The SSML is broken: {expat.ErrorString(error.code)}", parser.ErrorByteIndex) from error
