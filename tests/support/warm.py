"""The program that stands for `budget` or `python` in tests: it lets a nursery fork that process.

    python -ISE tests/support/warm.py DOOR budget status

The process has this one's arguments, environment, folder, input and outputs. Signals are passed on
to it, its exit status comes back, and it ends when this program does. So it is like a process that
was started here, less the second that Python needs to import everything. Not here: the other end of
the door (`tests/support/nursery.py`). Imports are few, since they are what is being saved.
"""

import os
import signal
import socket
import sys

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def main() -> None:
    """Order the process, and be it as far as others can see."""
    address, *words = sys.argv[1:]
    order = repr((words, os.getcwd(), dict(os.environ))).encode(errors="surrogateescape")
    door = socket.socket(socket.AF_UNIX)
    door.connect(address)
    socket.send_fds(door, [len(order).to_bytes(4, "big")], [0, 1, 2])
    door.sendall(order)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: door.send(bytes([number])))
    told = door.recv(2, socket.MSG_WAITALL)
    if not told:
        sys.exit("the nursery has ended")
    status = int.from_bytes(told, "big", signed=True)
    if status < 0:  # a signal ended it: end by the same
        if -status in PASSED_ON:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
