"""Budget: the spending authority for systems built on language models."""

__version__ = "0.1.0"
