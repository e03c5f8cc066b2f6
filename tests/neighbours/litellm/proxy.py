"""LiteLLM's own proxy, from a venv of its own, with our callback in its config.

`make litellm` makes the venv; LITELLM_VENV says where another one is.
"""

import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from tests.support.nursery import ROOT
from tests.support.services import free_port

VENV: Final = Path(os.environ.get("LITELLM_VENV") or Path(tempfile.gettempdir()) / "budget-litellm")
COMMAND: Final = VENV / "bin" / "litellm"
MASTER_KEY: Final = "sk-" + "a1B2c3D4e5F6" * 5
_READY_SECONDS: Final = 90.0


def is_there() -> bool:
    """Whether it is installed, with what the client of the service needs."""
    return COMMAND.exists() and any(VENV.glob("lib/python*/site-packages/msgspec"))


class Proxy:
    """The proxy in a process, in front of one upstream; `with` starts and ends it."""

    def __init__(
        self, folder: Path, upstream: str, target: str, key: str, settings: dict[str, str]
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "proxy.log"
        self._folder = folder
        self._environment = {
            **os.environ, "BUDGET_TARGET": target, "BUDGET_KEY": key,
            "PYTHONPATH": str(ROOT / "src"), "LITELLM_MASTER_KEY": MASTER_KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", **settings,
        }  # fmt: skip
        (folder / "config.yaml").write_text(
            "model_list:\n"
            "  - model_name: chat\n"
            f"    litellm_params: {{model: openai/gpt-4o, api_base: {upstream}/v1, api_key: k}}\n"
            "  - model_name: claude\n"
            f"    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: {upstream},"
            " api_key: k}\n"
            "  - model_name: gemini\n"
            f"    litellm_params: {{model: gemini/gemini-2.5-flash, api_base: {upstream}/v1beta,"
            " api_key: k}\n"
            "litellm_settings:\n"
            "  callbacks: budget.neighbours.litellm.callback\n"
            "general_settings:\n"
            "  forward_client_headers_to_llm_api: true\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Proxy":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "--config", "config.yaml", "--host", "127.0.0.1", "--port",
                 self.url.rpartition(":")[2]],
                cwd=self._folder, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(self.log.read_text()[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(self, *_of: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/liveliness", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False
