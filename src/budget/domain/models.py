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
    "writer", "zai",
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
    last = whole.rpartition("/")[2]
    vendor = BEDROCK_NAME.match(last)
    bare = last if vendor is None else last[vendor.end() :]
    return bare or whole
