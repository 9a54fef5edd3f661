"""The client with a real server, over connections that are cut; and the wheel that is installed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

from chinwag import ChinwagError, Client, Gap, Outbox, Record, direct_room
from chinwag.client import EVENTS_MAX, Socket, open_socket

PATIENCE = 30
HERE = Path(__file__).parents[1]


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """A server on a port of the system's choice: its `/ws`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHINWAG_")}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "chinwag.toml")
        config.write_text('listen = "127.0.0.1:0"\ntcp = "off"\nadmin = "off"\n[limits]\nrate_per_s = "off"\n')
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            os.environ["SERVER_BIN"], "--config", config, "--data", folder,
            env=env, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stdout
            while not (line := (await process.stdout.readline()).decode()).startswith("listening http://"):
                assert line, "the server has ended"
            yield f"ws://{line.split()[1].removeprefix('http://')}/ws"
        finally:
            process.terminate()
            code = await process.wait()
        assert code == 0, f"the server left with {code}"


class Server(unittest.IsolatedAsyncioTestCase):
    async def texts(self, chat: Client, count: int) -> list[str]:
        """The next records, as texts."""
        found: list[str] = []
        async with asyncio.timeout(PATIENCE):
            async for event in chat:
                self.assertNotIsInstance(event, Gap)
                if isinstance(event, Record):
                    found.append(event.text)
                    if len(found) == count:
                        break
        return found

    async def test_two_talk_in_a_room_and_directly(self) -> None:
        async with server() as url, Client(url, name="ann") as ann, Client(url, name="bob") as bob:
            await ann.join("lobby")
            await bob.join("lobby")
            sent = await bob.send("lobby", "hi", cid="c1")
            self.assertEqual((sent.room, sent.seq, sent.dup), ("lobby", 1, False))
            again = await bob.send("lobby", "hi", cid="c1")
            self.assertEqual((again.seq, again.dup), (1, True))
            await bob.send_to("ann", "psst")
            self.assertEqual(await self.texts(ann, 2), ["hi", "psst"])
            self.assertIn(direct_room("ann", "bob"), ann.rooms)
            page = await ann.history("lobby", before=2)
            self.assertEqual([item["text"] for item in page["items"]], ["hi"])
            await ann.read("lobby", 1)
            await bob.change("edit", "lobby", target=1, text="hello")
            self.assertEqual(await self.texts(ann, 1), ["hello"])

    async def test_what_was_said_while_the_line_was_cut_is_told_once_and_in_order(self) -> None:
        sockets: list[Socket] = []

        async def cuttable(url: str) -> Socket:
            sockets.append(await open_socket(url))
            return sockets[-1]

        async with server() as url, Client(url, name="ann", connect=cuttable, random=lambda: 0) as ann, Client(url, name="bob") as bob:
            await ann.join("lobby")
            await bob.join("lobby")
            for number in range(30):
                await bob.send("lobby", f"m{number}")
                if number % 10 == 5:
                    sockets[-1].transport.abort()  # type: ignore[attr-defined]
                    await ann.send("lobby", f"a{number}")
            texts = await self.texts(ann, 33)
            self.assertEqual([text for text in texts if text[0] == "m"], [f"m{number}" for number in range(30)])
            self.assertEqual([text for text in texts if text[0] == "a"], ["a5", "a15", "a25"])
            self.assertEqual(len(sockets), 4)

    async def test_a_program_that_reads_late_misses_nothing_and_may_send_meanwhile(self) -> None:
        count = EVENTS_MAX + 500
        async with server() as url, Client(url, name="ann") as ann, Client(url, name="bob") as bob:
            await ann.join("lobby")
            await bob.join("lobby")
            for number in range(count):
                await bob.send("lobby", f"m{number}")
            self.assertEqual((await ann.send("lobby", "late")).seq, count + 1)
            self.assertEqual(await self.texts(ann, count + 1), [*(f"m{number}" for number in range(count)), "late"])

    async def test_a_proxy_of_the_environment_is_not_asked_for_a_server_on_this_machine(self) -> None:
        nobody = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": ""}
        with mock.patch.dict(os.environ, nobody):
            async with server() as url, asyncio.timeout(PATIENCE), Client(url, name="ann") as ann:
                self.assertEqual((await ann.join("lobby")).name, "lobby")

    async def test_a_refusal_is_raised_where_it_belongs(self) -> None:
        async with server() as url:
            async with Client(url, name="ann") as ann:
                await ann.join("lobby")
                with self.assertRaises(ChinwagError) as refused:
                    await ann.send("lobby", "x" * 1_000_000)
                self.assertEqual(refused.exception.slug, "too_large")
                with self.assertRaises(ChinwagError) as refused:
                    await ann.send("lobby", " ")
                self.assertEqual(refused.exception.code, 1003)
                await ann.send("lobby", "still here")
            with self.assertRaises(ChinwagError) as refused:
                async with Client(url.replace("/ws", "/nowhere"), name="ann"):
                    pass
            self.assertIn("404", str(refused.exception))
            with self.assertRaises(ChinwagError) as refused:
                async with Client(url, name="no good name"):
                    pass
            self.assertEqual(refused.exception.code, 1003)

    async def test_after_stop_the_events_end(self) -> None:
        async with server() as url, Client(url, name="ann") as ann:
            await ann.join("lobby")
            await ann.send("lobby", "hi")
            await ann.stop()
            events = [event async for event in ann]
            self.assertTrue(any(isinstance(event, Outbox) for event in events))


class Wheel(unittest.TestCase):
    def test_the_wheel_is_built_installed_and_typed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, HERE], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            self.assertEqual(wheel.name, f"chinwag-{self.version()}-py3-none-any.whl")
            names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("chinwag/")}
            self.assertEqual(names, {f"chinwag/{name}" for name in ("__init__.py", "client.py", "model.py", "py.typed")})
            target = Path(folder, "installed")
            subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", target, wheel], check=True)
            script = "import chinwag; print(chinwag.__file__, chinwag.Client.__name__)"
            said = subprocess.run([sys.executable, "-c", script], cwd=folder, env={"PYTHONPATH": str(target)}, capture_output=True, text=True)
            self.assertEqual(said.stdout.split(), [str(target / "chinwag/__init__.py"), "Client"], said.stderr)

    @staticmethod
    def version() -> str:
        found = [line for line in (HERE / "pyproject.toml").read_text().splitlines() if line.startswith("version")]
        return found[0].split('"')[1]
