"""Sellers: our ids of the providers that sources of prices call by other names.

The ids are those of genai-prices where it has the provider; else what most sources say. Not here:
how a caller's spelling finds a provider (`bundled`).
"""

from collections.abc import Mapping
from typing import Final

from budget.prices.sources.parsing import name_of

LITELLM: Final[Mapping[str, str]] = {
    "amazon_nova": "amazon-nova",
    "aws_polly": "aws",
    "azure_ai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "codestral": "mistral",
    "cohere_chat": "cohere",
    "dashscope": "alibaba",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "gemini": "google",
    "jina_ai": "jina",
    "lambda_ai": "lambda",
    "meta_llama": "meta",
    "moonshot": "moonshotai",
    "nvidia_nim": "nvidia",
    "text-completion-codestral": "mistral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "transcribe": "aws",
    "vercel_ai_gateway": "vercel",
    "vertex_ai": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
}
"""By `litellm_provider`, or what stands before the first slash of a name."""

MODELS_DEV: Final[Mapping[str, str]] = {
    "amazon-bedrock": "aws",
    "azure-cognitive-services": "azure",
    "cloudflare-workers-ai": "cloudflare",
    "fireworks-ai": "fireworks",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "novita-ai": "novita",
    "togetherai": "together",
    "xai": "x-ai",
}
"""By the id of a provider at models.dev."""

LLM_PRICES: Final[Mapping[str, str]] = {
    "amazon": "aws",
    "meta-ai": "meta",
    "moonshot-ai": "moonshotai",
    "qwen": "alibaba",
    "xai": "x-ai",
    "z.ai": "zai",
}
"""By `vendor`."""


def seller(table: Mapping[str, str], name: object) -> str:
    """Our id of a provider, by a source's table; Odd if that is no name."""
    spelled = name_of(name).lower()
    if table is LITELLM and spelled.startswith("vertex_ai"):
        return "google"  # one for each maker of models, such as vertex_ai-llama_models
    return table.get(spelled) or spelled.replace("_", "-")
