"""Names: the one table of what OpenTelemetry calls things, old and new, and what they are here.

The conventions for generative AI are in development and names move; a new one is a new line here.
Not here: what is done with what they name (`spans`, `series`, `emitting`).
"""

from collections.abc import Mapping
from typing import Final

# --- Spans and the attributes of spans, metrics and resources ------------------------------------

OPERATION: Final = "gen_ai.operation.name"
PROVIDERS_NAMED: Final = ("gen_ai.provider.name", "gen_ai.system")
MODELS_NAMED: Final = ("gen_ai.response.model", "gen_ai.request.model")
RESPONSE_ID: Final = "gen_ai.response.id"
SERVICE_TIERS: Final = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
SERVER: Final = ("server.address", "server.port")
ERROR: Final = "error.type"

BUDGET: Final = "budget."
"""What begins so is an attribute of ours, as in `budget.team`; baggage puts them on spans."""
ALLOCATION_ID: Final = "budget.allocation_id"
USAGE_ID: Final = "budget.usage_id"

MODEL_OPERATIONS: Final = frozenset({
    "chat", "generate_content", "text_completion", "embeddings", "completion", "generate",
    "responses", "messages", "rerank", "transcription", "speech", "image_generation",
})  # fmt: skip
"""Calls of models. Others (`invoke_agent`, `execute_tool` ...) add up what such calls used."""

COUNTS: Final[Mapping[str, str]] = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.prompt_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.completion_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_tokens",
    "gen_ai.usage.cache_read_input_tokens": "cache_read_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write_tokens",
    "gen_ai.usage.cache_creation_input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
    "gen_ai.usage.reasoning_tokens": "reasoning_tokens",
}
"""The counts of a span, newest names first; of several that mean the same the first one counts."""

ATTRIBUTES: Final[Mapping[str, str]] = {
    "service.name": "component",
    "gen_ai.agent.name": "agent",
    "gen_ai.conversation.id": "session",
    "session.id": "session",
    "user.id": "user",
    "enduser.id": "user",
    "deployment.environment.name": "tag.environment",
    "deployment.environment": "tag.environment",
}
"""What of a span and its resource is an attribute of the call; the first name wins, and what
`budget.` names wins over all.
"""

PROVIDERS: Final[Mapping[str, str | None]] = {
    "aws": "aws",
    "aws.bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshotai",
    "vertex_ai": "google",
    "vertexai": "google",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "together_ai": "together",
    "langchain": None,
    "_other": None,
    "unknown": None,
}
"""What providers are called here; names that are not in this table are ours, too. None: nobody."""

PROVIDERS_TOLD: Final[Mapping[str, str]] = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gen_ai",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "x-ai": "x_ai",
}
"""The other way: what ours are called in the conventions, where that differs."""

# --- Metrics -------------------------------------------------------------------------------------

COUNTERS: Final[Mapping[str, str]] = {
    "gen_ai.client.inference.usage.input_tokens": "input_tokens",
    "gen_ai.client.inference.usage.output_tokens": "output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens": "cache_read_tokens",
    "gen_ai.client.inference.usage.cache_write.input_tokens": "cache_write_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens": "reasoning_tokens",
}
PER_OPERATION: Final[Mapping[str, str]] = {
    "gen_ai.client.inference.operation.input_tokens": "input_tokens",
    "gen_ai.client.inference.operation.output_tokens": "output_tokens",
}
"""Histograms with a value for each call, which are for percentiles; so they tell how many calls."""
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - a name
"""The older histogram, whose sums are counts of tokens, by `gen_ai.token.type`."""
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name
TOKEN_TYPES: Final[Mapping[str, str]] = {"input": "input_tokens", "output": "output_tokens"}
MODALITY: Final = "gen_ai.token.modality"
DURATION: Final = "gen_ai.client.operation.duration"
"""A histogram with a value for each call; so it tells how many there were."""

TOKEN_USAGE_BUCKETS: Final = tuple(4**power for power in range(14))
"""1, 4, 16 ... 67108864, as the conventions have them."""

METRICS: Final = frozenset({*COUNTERS, *PER_OPERATION, TOKEN_USAGE, DURATION})
"""All that are looked at."""

# --- What we tell --------------------------------------------------------------------------------

COUNTERS_TOLD: Final[Mapping[str, str]] = {ours: name for name, ours in COUNTERS.items()}
PER_OPERATION_TOLD: Final[Mapping[str, str]] = {ours: name for name, ours in PER_OPERATION.items()}
SPAN_COUNTS: Final[Mapping[str, str]] = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
COST: Final = "budget.usage.cost"
"""In nano-USD, a whole number."""
DECISIONS: Final = "budget.decisions"
DECISION: Final = "budget.decision"
INSTANCE: Final = "budget.instance"
"""On the resource of what we tell; what comes with it is booked already."""
