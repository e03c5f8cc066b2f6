"""The callback in a program with LiteLLM's own SDK, which `make litellm` puts into a venv."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from budget.client import Client
from tests.fakes.providers import Providers
from tests.neighbours.litellm import proxy as proxies
from tests.neighbours.litellm.conftest import statuses, used
from tests.support.nursery import ROOT, shared
from tests.support.services import Service

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not proxies.is_there(), reason="there is no LiteLLM: make litellm"),
]


def test_async_calls_are_held_and_stopped_and_others_are_booked(tmp_path: Path) -> None:
    service = Service(shared(), tmp_path, f"sqlite:///{tmp_path / 'books.db'}")
    service.start()
    url = f"http://127.0.0.1:{service.port}"
    with Providers() as providers, Client(url, service.key) as admin:
        admin.create_budget(
            name="none", scope={"project": "none"},
            policies=[{"unit": "requests", "period": "total", "limit": 0}],
        )  # fmt: skip
        key = admin.create_key(name="program", scopes=["spend"]).text or ""
        ran = subprocess.run(
            [proxies.VENV / "bin" / "python", Path(__file__).with_name("sdk_program.py"),
             f"{providers.url}/v1"],
            env={**os.environ, "BUDGET_TARGET": url, "BUDGET_KEY": key, "LITELLM_LOG": "ERROR",
                 "PYTHONPATH": str(ROOT / "src"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        told = json.loads(ran.stdout.splitlines()[-1])
        assert (told["answer"], told["sync"], told["refused"]) == (5, 5, "over_limit")
        assert told["failed"] is True
        books = admin
        until = time.monotonic() + 10
        while "open" in statuses(books) and time.monotonic() < until:  # type: ignore[arg-type]
            time.sleep(0.05)
        found = statuses(books)  # type: ignore[arg-type]
        assert found.count("settled") == 3
        assert set(found) == {"released", "settled"}
        booked = sorted(used(books))  # type: ignore[arg-type]
        # The answer, the stream, and the call that is not async; the stream that was left is
        # booked at all that it was granted.
        assert booked[:3] == [(3, 5)] * 3
        assert booked[3][1] == 50
    service.stop()
