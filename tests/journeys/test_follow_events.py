"""The example that follows events, while the service is killed and started again."""

import json
import os
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.command import ROOT
from tests.support.nursery import shared
from tests.support.services import Service

PATIENCE_SECONDS = 60.0


def spend(service: Service, count: int, name: str) -> list[str]:
    """Usage, each with an id of its own."""
    ids = [f"{name}-{at}" for at in range(count)]
    records = [{"usage_id": usage_id, "requests": 1} for usage_id in ids]
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/api/v1/usage/batch",
        json.dumps({"records": records}).encode(),
        {"X-API-Key": service.key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["accepted"] == count
    return ids


def follow(service: Service, folder: Path, heard: list[str]) -> "subprocess.Popen[str]":
    """The example, as a process of its own; the ids that it prints go to a list."""
    process = subprocess.Popen(
        [*shared().program("python"), str(ROOT / "examples" / "follow_events.py"),
         "--topics", "allocation_updates", "--cursor", str(folder / "kept.cursor")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "BUDGET_URL": f"http://127.0.0.1:{service.port}",
             "BUDGET_KEY": service.key},
    )  # fmt: skip
    output: Any = process.stdout

    def read() -> None:
        with output:
            heard.extend(json.loads(line)["usage_id"] for line in output)

    threading.Thread(target=read, daemon=True).start()
    return process


def wait_for(heard: list[str], count: int) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while len(heard) < count and time.monotonic() < ends_at:
        time.sleep(0.01)


def wait_until_kept(service: Service, folder: Path) -> None:
    """Wait until the example has kept the cursor of the newest event."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/api/v1/events?limit=1000",
        headers={"X-API-Key": service.key},
    )
    with urllib.request.urlopen(request) as answer:
        last = json.load(answer)["items"][-1]["cursor"]
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while (folder / "kept.cursor").read_text() != last and time.monotonic() < ends_at:
        time.sleep(0.01)


def test_the_example_prints_every_event_once_though_service_and_example_are_killed(
    tmp_path: Path,
) -> None:
    service = Service(shared(), tmp_path, f"sqlite:///{tmp_path}/budget.db")
    heard: list[str] = []
    service.start()
    followers = [follow(service, tmp_path, heard)]
    try:
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "kept.cursor").exists() and time.monotonic() < ends_at:
            time.sleep(0.01)
        written = spend(service, 50, "first")
        wait_for(heard, 50)
        service.kill()
        service.start()
        written += spend(service, 50, "second")
        wait_for(heard, 100)
        wait_until_kept(service, tmp_path)
        followers[0].terminate()
        followers[0].wait(30)
        written += spend(service, 50, "third")
        followers.append(follow(service, tmp_path, heard))
        wait_for(heard, 150)
        assert heard == written
    finally:
        for follower in followers:
            follower.kill()
            follower.wait(30)
        service.stop()
