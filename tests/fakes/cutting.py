"""Cutting: a TCP proxy before a service that cuts connections at random bytes, and delays pieces.

Not here: the proxy before PostgreSQL, which is told where to cut (`tests.support.proxy`).
"""

import asyncio
import contextlib
import random
import threading
from typing import Self
from urllib.parse import urlsplit

_PIECE_BYTES = 65_536
_LONGEST_DELAY_SECONDS = 0.01


class CuttingProxy:
    """Open for as long as the test: `url` leads through it to the service at the given one.

    Each piece that passes, either way, is cut off with this chance: a random part of it still goes
    through, then both ends are closed. As many pieces are sent in two parts, with a pause between.
    """

    def __init__(self, url: str, *, chance: float, seed: int) -> None:
        parts = urlsplit(url)
        self._upstream = parts.hostname, parts.port
        self._chance = chance
        self._dice = random.Random(seed)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._ending: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""
        self.cuts = {"to": 0, "from": 0}
        self.halved = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_of: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def heal(self) -> None:
        """Cut nothing any more."""
        self._chance = 0.0

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._ending.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_service, to_service = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        pumps = {
            asyncio.ensure_future(self._pump("to", reader, to_service)),
            asyncio.ensure_future(self._pump("from", from_service, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            writer.close()
            to_service.close()

    async def _pump(
        self, way: str, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(_PIECE_BYTES):
                fate, place = self._dice.random(), self._dice.randrange(len(piece) + 1)
                if fate < self._chance:
                    self.cuts[way] += 1
                    target.write(piece[:place])
                    await target.drain()
                    return
                if fate < 2 * self._chance:
                    self.halved += 1
                    target.write(piece[:place])
                    await target.drain()
                    await asyncio.sleep(self._dice.uniform(0, _LONGEST_DELAY_SECONDS))
                    piece = piece[place:]
                target.write(piece)
                await target.drain()
