"""Models: how a model's name compares, however a caller spells it.

Not here: what it costs, and which listed model it is (`prices.resolving`). Records keep the name as
the caller said it.
"""

import re
from functools import lru_cache
from typing import Final

_REGIONS: Final = ("apac", "ap", "au", "ca", "eu", "global", "in", "jp", "sa", "us-gov", "us")
_VENDORS: Final = (
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax",
    "mistral", "moonshot", "moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs",
    "writer", "xai", "zai",
)  # fmt: skip
BEDROCK_NAME: Final = re.compile(
    rf"(?:(?P<region>{'|'.join(_REGIONS)})\.)?(?P<vendor>{'|'.join(_VENDORS)})\."
)
"""What stands before a model's name in Bedrock: where it is answered from, and who made it."""


@lru_cache(maxsize=4096)
def bare_model(name: str) -> str:
    """A model's name in lower case, without the path and the vendor before it.

    `openai/GPT-4o` is `gpt-4o`, as is `azure/gpt-4o`; `us.anthropic.claude-3-haiku` is
    `claude-3-haiku`. Where nothing would be left, it is the whole name.
    """
    whole = name.lower()
    bare = whole.rpartition("/")[2]
    while (vendor := BEDROCK_NAME.match(bare)) is not None and vendor.end() < len(bare):
        bare = bare[vendor.end() :]  # until it is bare: a bare name compares as itself
    return bare or whole
