"""Logs: one JSON object a line on standard error, without keys or what callers send.

A line that a request has caused says which: `request_id`, which its answer has as X-Request-Id.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Final

import structlog

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered."""

SECRETS: Final = ("authorization", "x-api-key", "key", "secret", "password")


def configure() -> None:
    """Send what this process logs, its libraries included, to standard error as JSON."""
    shared: list[structlog.types.Processor] = [
        _with_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _with_request_id(
    logger: object, method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    del logger, method
    request_id = REQUEST_ID.get()
    if request_id:
        event["request_id"] = request_id
    return event


def _without_secrets(
    logger: object, method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    del logger, method
    for name in SECRETS:
        if name in event:
            event[name] = "(hidden)"
    return event
