"""Live events: over WebSocket and as a stream of server-sent events."""
