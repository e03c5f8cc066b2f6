"""Follow Budget's events over a WebSocket, and go on after every interruption where it stopped.

    BUDGET_URL=http://127.0.0.1:8013 BUDGET_KEY=$(budget key) python examples/follow_events.py

Prints each event as a line of JSON. The cursor of the last one is kept in a file (`--cursor`), so
that none is missed when this program or the service is stopped and started again. One is printed
again only if the program is killed after it was printed and before its cursor was kept.
Needs the package `websockets`.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
SILENT_SECONDS = 75.0
"""The service sends a heartbeat every 30 seconds: after two that did not come, connect anew."""
FINAL = {401, 403, 404}
"""What trying again does not mend."""


def follow(connection: ClientConnection, topics: list[str], kept: Path) -> None:
    """Subscribe from where the last run stopped, and print what comes."""
    payload: dict[str, object] = {"topics": topics}
    if kept.exists():
        payload["resume_from"] = kept.read_text().strip()
    connection.send(json.dumps({"type": "subscription", "topic": topics[0], "payload": payload}))
    while True:
        frame = json.loads(connection.recv(timeout=SILENT_SECONDS))
        if "cursor" in frame:
            print(json.dumps(frame["payload"]), flush=True)
            keep(kept, frame["cursor"])
        elif frame["type"] == "subscription" and not kept.exists():
            keep(kept, frame["payload"]["cursor"])
        elif frame["type"] == "error":
            print(frame["payload"]["error"], file=sys.stderr)


def keep(path: Path, cursor: str) -> None:
    """Write the cursor down, whole or not at all."""
    written = path.with_suffix(".new")
    written.write_text(cursor)
    written.replace(path)


def main() -> None:
    """Connect, follow, and connect again, waiting longer each time that it fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--topics", default="budget_events,allocation_updates,budget_alerts")
    parser.add_argument("--cursor", type=Path, default=Path("budget-events.cursor"))
    asked = parser.parse_args()
    url = os.environ.get("BUDGET_URL", "http://127.0.0.1:8013").replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {os.environ['BUDGET_KEY']}"}
    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        try:
            with connect(url, additional_headers=headers) as connection:
                wait_seconds = FIRST_WAIT_SECONDS
                follow(connection, asked.topics.split(","), asked.cursor)
        except InvalidStatus as error:
            if error.response.status_code in FINAL:
                sys.exit(f"The service answers {error.response.status_code}.")
        except (OSError, TimeoutError, ConnectionClosed) as error:
            print(f"Interrupted ({error}); connecting again.", file=sys.stderr)
        time.sleep(wait_seconds * random.uniform(0.5, 1.0))
        wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)


if __name__ == "__main__":
    main()
