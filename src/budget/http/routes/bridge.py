"""Routes by which Tekton's components call the tools of MCP without the protocol.

A key needs the right of the tool that it calls. Not here: the protocol itself (`http.mcp`).
"""

from typing import Final, TypedDict

from budget.http import bridge
from budget.http.route import Route
from budget.mcp.messages import (
    BridgeArgumentsAsk,
    BridgeCallAsk,
    BridgeCalledShape,
    BridgeCapabilitiesShape,
    BridgeMessageAsk,
    BridgeReplyShape,
    BridgeToolsShape,
)


class BridgeHealthShape(TypedDict):
    """Whether tools may be called."""

    status: str
    component: str
    version: str
    tool_count: int


BRIDGE: Final[tuple[Route, ...]] = (
    Route("GET", "/api/mcp/health", "any", bridge.health, answer=BridgeHealthShape),
    Route(
        "GET", "/api/mcp/capabilities", "any", bridge.capabilities, answer=BridgeCapabilitiesShape
    ),
    Route("GET", "/api/mcp/tools", "any", bridge.tools, answer=BridgeToolsShape),
    Route("POST", "/api/mcp/process", "any", bridge.process, BridgeCallAsk, BridgeCalledShape),
    Route("POST", "/api/mcp/message", "any", bridge.message, BridgeMessageAsk, BridgeReplyShape),
    Route(
        "POST",
        "/api/tools/{tool}/execute",
        "any",
        bridge.execute,
        BridgeArgumentsAsk,
        BridgeCalledShape,
    ),
)
