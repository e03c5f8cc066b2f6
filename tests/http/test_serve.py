"""Serving: where it listens, what it leaves behind, how it drains, and how it is found again."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine.addresses import (
    lock_file,
    remove_address,
    service_address,
    write_address,
)
from budget.http.serve import _warn_of_unknown, listen, url_of
from budget.storage.sqlite_file import Lock

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from budget.engine.settings import Settings
from budget.http.serve import serve
target, config, anew = sys.argv[1:]
settings = Settings.read({}, target=target, port=0, config_dir=Path(config))
serve(
    settings,
    on_start=lambda started: print(started.url, started.key_file, flush=True),
    new_admin_key=anew == "anew",
)
"""


class Process:
    """A service in a process of its own."""

    def __init__(self, folder: Path, *, anew: bool = False, config: str = "config") -> None:
        self.target = f"sqlite:///{folder}/budget.db"
        self.config = folder / config
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.target, str(self.config), "anew" if anew else ""],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.url, self.key_file = line.split()

    @property
    def key(self) -> str:
        (entry,) = tomllib.loads((self.config / "keys.toml").read_text()).values()
        key: str = entry["key"]
        return key

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit code and what was logged."""
        self.process.send_signal(number)
        _, logged = self.process.communicate(timeout=40)
        return self.process.returncode, logged


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.communicate()


def resident_kb(pid: int) -> int | None:
    """The memory a process takes; None where that can't be read."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


# --- A whole life --------------------------------------------------------------------------------


def test_a_service_is_found_used_and_ended_and_leaves_nothing_open(process: Process) -> None:
    assert service_address(process.target) == process.url
    headers = {"X-API-Key": process.key}
    with httpx2.Client(
        base_url=process.url, headers=headers, trust_env=False, verify=False
    ) as client:
        held = client.post("/api/v1/allocations", json={"tokens": 5}).json()
        assert held["status"] == "open"
        assert client.get("/health").json()["port"] == int(process.url.rsplit(":", 1)[1])
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    memory_kb = resident_kb(process.process.pid)
    assert memory_kb is None or memory_kb <= 150 * 1024
    code, logged = process.end()
    assert (code, logged) == (0, "")
    assert service_address(process.target) is None
    path = lock_file(process.target)
    assert path is not None
    assert path.read_bytes() == b""
    for left in ("-wal", "-shm"):
        assert not path.with_name(f"budget.db{left}").exists()


def test_calls_that_came_before_the_end_are_answered(process: Process) -> None:
    headers = {"X-API-Key": process.key}
    statuses: list[int] = []
    stopped = threading.Event()

    def call() -> None:
        with httpx2.Client(
            base_url=process.url, headers=headers, trust_env=False, verify=False
        ) as client:
            while not stopped.is_set():
                try:
                    statuses.append(
                        client.post("/api/v1/allocations", json={"tokens": 1}).status_code
                    )
                except httpx2.TransportError:
                    return

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(statuses) < 50:
        time.sleep(0.01)
    code, _ = process.end()
    stopped.set()
    for thread in threads:
        thread.join()
    assert code == 0
    assert set(statuses) == {201}


def test_a_body_on_its_way_is_waited_for_when_the_service_ends(process: Process) -> None:
    host, port = process.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        body = b'{"tokens":1}'
        head = (
            f"POST /api/v1/allocations HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {process.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.2)
        process.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(body[5:])
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 201")
    assert process.process.wait(timeout=10) == 0


def test_the_key_outlives_a_start_and_a_further_one_can_be_made(
    process: Process, tmp_path: Path
) -> None:
    assert process.key_file == str(tmp_path / "config" / "keys.toml")
    assert process.end()[0] == 0
    anew = Process(tmp_path, config="other", anew=True)
    assert anew.key_file == str(tmp_path / "other" / "keys.toml")
    assert anew.key != process.key
    for key in (anew.key, process.key):
        answer = httpx2.get(
            f"{anew.url}/api/v1/status", headers={"X-API-Key": key}, trust_env=False, verify=False
        )
        assert answer.status_code == 200
    assert anew.end()[0] == 0


def test_no_key_is_in_the_books_or_in_what_is_logged(process: Process, tmp_path: Path) -> None:
    key = process.key
    headers = {"X-API-Key": key}
    httpx2.get(f"{process.url}/api/v1/status", headers=headers, trust_env=False, verify=False)
    httpx2.get(
        f"{process.url}/api/v1/status",
        headers={"X-API-Key": key[:-1]},
        trust_env=False,
        verify=False,
    )
    host, port = process.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /\x00 HTTP/9\r\nX-API-Key: {key}\r\n\r\n".encode())
        connection.recv(1_000)
    code, logged = process.end(signal.SIGINT)
    assert code == 0
    secret = key[13:56]
    assert secret not in logged
    for file in tmp_path.glob("budget.db*"):
        assert secret.encode() not in file.read_bytes()
    for line in logged.splitlines():
        json.loads(line)


# --- Where it listens ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost"])
def test_it_listens_for_this_machine(host: str) -> None:
    with listen(host, 0) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_are_listened_to_only_when_that_is_said_to_be_safe(host: str) -> None:
    with pytest.raises(InvalidInput, match="insecure-behind-proxy") as caught:
        listen(host, 0)
    assert caught.value.field == "host"


def test_behind_a_proxy_it_listens_for_others() -> None:
    with listen("0.0.0.0", 0, behind_proxy=True) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


def test_a_host_that_is_none_and_a_port_that_is_taken_are_told_of() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        listen("no.such.host.invalid", 0)
    with listen("127.0.0.1", 0) as listener:
        with pytest.raises(Unavailable, match="--port") as caught:
            listen("127.0.0.1", listener.getsockname()[1])
        assert caught.value.code == "port_taken"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"), ("localhost", "http://localhost:80"),
        ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("::1", "http://[::1]:80"),
    ],
)  # fmt: skip
def test_an_address_is_one_that_can_be_called(host: str, url: str) -> None:
    assert url_of(host, 80) == url


# --- How it is found -----------------------------------------------------------------------------


class Stub(BaseHTTPRequestHandler):
    told: Any = b'{"component":"budget","instance":"run-1"}'

    def do_GET(self) -> None:
        content = self.told if isinstance(self.told, bytes) else json.dumps(self.told).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_believed_when_the_run_that_wrote_it_answers(
    stub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    assert service_address(target) is None
    write_address(target, stub, "run-1")
    assert service_address(target) == stub
    for other in (
        {"component": "budget", "instance": "run-2"}, {"component": "other", "instance": "run-1"},
        ["run-1"], b"hello", b"\xff", {},
    ):  # fmt: skip
        monkeypatch.setattr(Stub, "told", other)
        assert service_address(target) is None


def test_what_a_crash_left_behind_is_not_believed(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    with listen("127.0.0.1", 0) as listener:
        free = listener.getsockname()[1]
    write_address(target, f"http://127.0.0.1:{free}", "run-1")
    assert service_address(target) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"nonsense",
        b"http://\n",
        b"ftp://x\nrun",
        b"\xff" * 100,
        b"x" * 10_000,
        b"http://127.0.0.1:1\nhttp://127.0.0.1:2\n",
        b"http://127.0.0.1:1\n\nrun\n",
    ],
)
def test_a_lock_file_with_anything_in_it_is_no_address(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.db.lock").write_bytes(content)
    assert service_address(f"sqlite:///{tmp_path}/b.db") is None


def test_a_run_removes_its_own_address_and_nobody_elses(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    write_address(target, "http://127.0.0.1:1", "run-1")
    remove_address(target, "run-2")
    path = lock_file(target)
    assert path is not None
    assert path.read_text() == "http://127.0.0.1:1\nrun-1\n"
    remove_address(target, "run-1")
    assert path.read_text() == ""


def test_of_several_runs_the_newest_that_answers_is_told(stub: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    with listen("127.0.0.1", 0) as listener:
        free = listener.getsockname()[1]
    write_address(target, stub, "run-1")
    write_address(target, f"http://127.0.0.1:{free}", "run-2")  # it crashed
    assert service_address(target) == stub
    remove_address(target, "run-2")
    assert service_address(target) == stub
    remove_address(target, "run-1")
    path = lock_file(target)
    assert path is not None
    assert path.read_bytes() == b""


def test_of_runs_that_crashed_a_few_are_kept_and_none_at_an_address_that_is_used_again(
    tmp_path: Path,
) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    for run in range(20):
        write_address(target, f"http://127.0.0.1:{run}", f"run-{run}")
    write_address(target, "http://127.0.0.1:15", "run-20")
    path = lock_file(target)
    assert path is not None
    runs = path.read_text().split()[1::2]
    assert runs == [f"run-{run}" for run in (12, 13, 14, 16, 17, 18, 19, 20)]


def test_the_note_of_a_run_leaves_the_file_that_is_locked_and_waits_for_a_batch_to_end(
    tmp_path: Path,
) -> None:
    target = f"sqlite:///{tmp_path}/b.db"
    lock = Lock(tmp_path / "b.db")
    lock.acquire()
    before = lock.path.stat().st_ino
    writer = threading.Thread(target=write_address, args=(target, "http://127.0.0.1:1", "run-1"))
    writer.start()
    time.sleep(0.05)
    assert lock.path.read_bytes() == b""
    lock.release()
    writer.join()
    assert lock.path.read_text() == "http://127.0.0.1:1\nrun-1\n"
    assert lock.path.stat().st_ino == before
    lock.acquire(0)  # and nobody holds it now
    write_address(target, "http://127.0.0.1:2", "run-2")  # a writer that never lets go
    assert len(lock.path.read_text().split()) == 4
    lock.close()


def test_many_runs_that_begin_and_end_at_once_leave_what_is_true(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/b.db"

    def live(number: int) -> None:
        for _ in range(20):
            write_address(target, f"http://127.0.0.1:{number}", f"run-{number}")
            if number:
                remove_address(target, f"run-{number}")

    threads = [threading.Thread(target=live, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = lock_file(target)
    assert path is not None
    assert path.read_text() == "http://127.0.0.1:0\nrun-0\n"


def test_other_databases_have_no_lock_file() -> None:
    target = "postgresql://db/budget"
    assert lock_file(target) is None
    write_address(target, "http://127.0.0.1:1", "run-1")
    remove_address(target, "run-1")
    assert service_address(target) is None


# --- What it takes -------------------------------------------------------------------------------


def test_asking_for_the_address_imports_no_server() -> None:
    program = (
        "import sys; from budget.http.serve import service_address; "
        "service_address('sqlite:////nowhere/b.db'); "
        "heavy = ('starlette', 'uvicorn', 'sqlalchemy', 'httpx2', 'structlog', 'pydantic'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert found.stdout.strip() == "[]"


def test_a_variable_that_nobody_reads_is_told_at_the_start() -> None:
    with capture_logs() as logged:
        _warn_of_unknown({"BUDGET_HERMS_URL": "secret", "BUDGET_HERMES_URL": "http://h:1"})
    assert logged == [
        {
            "event": "BUDGET_HERMS_URL is no setting, so nobody reads it",
            "nearest": "BUDGET_HERMES_URL",
            "log_level": "warning",
        }
    ]
