"""OpenTelemetry: what others measured of their calls becomes usage; what we booked becomes metrics.

`receiver` takes what comes, `emitting` sends. Not here: the door of the receiver (`http.otlp`), and
spans of requests (`http.tracing`).
"""
