"""Names of settings: every variable that Budget reads of its own, to know one that is mistyped.

Not here: what each means, which is read where it is used (`docs/reference/settings.md`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_LISTED: Final = """
BUDGET_ACCESS_LOG BUDGET_ALLOWED_ORIGINS BUDGET_ANTHROPIC_ADMIN_KEY BUDGET_ANTHROPIC_ADMIN_URL
BUDGET_APOLLO_POLL_SECONDS BUDGET_APOLLO_URL BUDGET_ATHENA_URL BUDGET_CONFIG_DIR BUDGET_DEBUG
BUDGET_DOCS BUDGET_FAILED_ATTEMPTS BUDGET_GATEWAY_ASK_SECONDS BUDGET_GATEWAY_LOOP_IDENTICAL
BUDGET_GATEWAY_LOOP_RATE BUDGET_GATEWAY_LOOP_WITHOUT_SESSION BUDGET_GATEWAY_MOCK
BUDGET_GATEWAY_RETRIES BUDGET_GATEWAY_RUNS BUDGET_GATEWAY_SECRETS BUDGET_GATEWAY_SILENCE_SECONDS
BUDGET_GATEWAY_WAIT_SECONDS BUDGET_HERMES_ENDPOINT BUDGET_HERMES_IDS BUDGET_HERMES_URL BUDGET_HOST
BUDGET_KEY BUDGET_LITELLM BUDGET_LITELLM_FAIL_OPEN BUDGET_LITELLM_MASTER_KEY
BUDGET_LITELLM_UNMETERED BUDGET_MCP BUDGET_NEIGHBOUR_ORIGINS BUDGET_OIDC_CLIENT_ID
BUDGET_OIDC_CLIENT_SECRET BUDGET_OIDC_CLIENT_SECRET_FILE BUDGET_OIDC_ISSUER BUDGET_OIDC_ORIGINS
BUDGET_OIDC_RULES BUDGET_OPENAI_ADMIN_KEY BUDGET_OPENAI_ADMIN_URL BUDGET_OPENROUTER_KEY
BUDGET_OPENROUTER_URL BUDGET_OTEL_METRICS BUDGET_OTLP BUDGET_OTLP_METRICS BUDGET_PARENT_ID
BUDGET_PORT BUDGET_PRICES BUDGET_PRICE_ORIGINS BUDGET_PRICE_REFRESH BUDGET_PRICE_SOURCES
BUDGET_PRICE_TRUST BUDGET_PUBLIC_URL BUDGET_RATE_LIMIT BUDGET_REFUSAL_STATUS
BUDGET_RHETOR_POLL_SECONDS BUDGET_RHETOR_URL BUDGET_SMTP_FROM BUDGET_SMTP_URL BUDGET_TARGET
BUDGET_TELOS_PROJECTS BUDGET_TELOS_URL BUDGET_TIMEZONE BUDGET_TRACES BUDGET_WEBHOOK_ORIGINS
"""
NAMES: Final = frozenset(_LISTED.split())
_BEGIN: Final = "BUDGET_"
_OTHERS: Final = re.compile(
    r"BUDGET_GATEWAY_[A-Z0-9_]+_(BASE_URL|API_KEY|FORMAT|PROVIDER|FALLBACK)"  # of an upstream
    r"|BUDGET_TEST_[A-Z0-9_]+"
    # What Kubernetes tells of a service that is called budget, or budget-something.
    r"|BUDGET_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP)(_[A-Z]+)?)"
)
_ALIKE: Final = 0.8
"""How alike a name must be to be the one that was meant; 1 is the same."""


class Unknown(NamedTuple):
    """A variable that no part of Budget reads, and the name that is most like it, if one is."""

    name: str
    nearest: str | None


def unknown_settings(env: Mapping[str, str]) -> Iterator[Unknown]:
    """The variables that begin like ours, have a value and are none of ours."""
    found = (name for name, value in env.items() if name.startswith(_BEGIN) and value)
    for name in sorted(found):
        if name not in NAMES and not _OTHERS.fullmatch(name):
            yield Unknown(name, _nearest(name))


def _nearest(name: str) -> str | None:
    from difflib import get_close_matches

    # What all have in common would make any two names alike.
    ends = [each.removeprefix(_BEGIN) for each in sorted(NAMES)]
    found = get_close_matches(name.removeprefix(_BEGIN), ends, n=1, cutoff=_ALIKE)
    return f"{_BEGIN}{found[0]}" if found else None
