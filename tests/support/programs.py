"""Being `budget` or `python` in a process that was forked, as if it had been started.

What differs from a cold start: modules are loaded. Not here: forking (`tests/support/nursery.py`),
and the program that orders it (`tests/support/warm.py`).
"""

import ast
import atexit
import importlib
import os
import runpy
import sys
import threading
import time
import types
from pathlib import Path


def run(order: str, files: list[int]) -> None:
    """Do as `warm.py` orders: arguments, folder and environment; the files are to be 0, 1 and 2."""
    words, folder, environ = ast.literal_eval(order)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    for source, target in zip(files, (0, 1, 2), strict=True):
        os.dup2(source, target)
        os.close(source)
    # Anew, since how lines and errors are written depends on where they go.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the life of the process
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = words
    try:
        if words[0] == "budget":
            importlib.import_module("budget.cli.app").main()
        else:
            _run_python()
    finally:
        # What an interpreter does at its end, as far as programs rely on it.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()


def _run_python() -> None:
    """`python -c CODE …`, `python - …` for code that comes in, or `python FILE …`."""
    del sys.argv[0]
    if sys.argv[0] not in ("-c", "-"):
        sys.path.insert(0, str(Path(sys.argv[0]).absolute().parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    code = sys.argv.pop(1) if sys.argv[0] == "-c" else sys.stdin.read()
    sys.path.insert(0, "")
    program = types.ModuleType("__main__")
    sys.modules["__main__"] = program
    exec(compile(code, "<string>", "exec"), program.__dict__)
