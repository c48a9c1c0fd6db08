"""Which environment each group of models lives in. Groups that share one can share an image.

Plain data without an import of its own: the image's first step reads it before anything is installed.
"""

from collections.abc import Mapping

ENVIRONMENTS: Mapping[str, str] = {
    "embedded": "embedded",
    "cloning": "modern",
    "kokoro": "modern",
    "orpheus": "modern",
    "dialogue": "modern",
    "streaming": "modern",
    "qwen": "qwen",
    "parler": "parler",
    "pocket": "pocket",
}
