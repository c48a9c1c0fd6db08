"""The head of a WAV: where its samples begin, and its two lengths, which a stream cannot know.

Only what our own encoder writes is expected; anything else is left as it is.
"""

HEAD_BYTES = 4096
"""Within which the samples of a WAV of ours begin."""
OPEN = b"\xff\xff\xff\xff"
MOST = 2**32 - 2


def samples_at(head: bytes) -> int | None:
    """Where the samples begin. None where `head` is no WAV, or ends too early to tell."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if name == b"data":
            return at + 8
        at += 8 + size + size % 2
    return None


def sized(head: bytes, total_bytes: int) -> bytes:
    """The same head, in which lengths that were left open are those of a file of so many bytes."""
    start = samples_at(head)
    if start is None or head[start - 4 : start] != OPEN:
        return head
    whole, samples = (min(size, MOST).to_bytes(4, "little") for size in (total_bytes - 8, total_bytes - start))
    return head[:4] + whole + head[8 : start - 4] + samples + head[start:]
