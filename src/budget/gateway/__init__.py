"""Gateway: a proxy before providers, through which no call can overspend.

Every call is held, metered while it is answered, settled before its answer ends, and cut where the
money does. One file per wire format (`formats`). Not here: connections of callers, and who they
are (`http.gateway`).
"""
