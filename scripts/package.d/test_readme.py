"""The bots of the clients' READMEs answer, as they stand there."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from test_files import server

ROOT = Path(__file__).parents[2]

ASK = """
import asyncio, sys
from chinwag import Client, Record

async def main():
    async with Client(sys.argv[1], name="ann") as chat:
        await chat.join("lobby")
        async with asyncio.timeout(20):
            while "bot" not in {user for user, _ in (await chat.request("presence", room="lobby"))["users"]}:
                await asyncio.sleep(0.05)
            await chat.send("lobby", "beep")
            async for event in chat:
                if isinstance(event, Record) and event.sender == "bot":
                    return print(event.text)

asyncio.run(main())
"""


class Readme(unittest.TestCase):
    def answers(self, readme, language, imported, argv):
        text = (ROOT / readme).read_text()
        blocks = re.findall(rf"```{language}\n(.*?)```", text, re.S)
        (code,) = [code for code in blocks if imported in code]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python")}
        with server() as (http, _), tempfile.TemporaryDirectory() as folder:
            Path(folder, "bot.mjs").write_text(code.replace("ws://127.0.0.1:8080", f"ws://{http}"))
            for command in re.findall(r"^npm install .*", text, re.M):
                Path(folder, "package.json").write_text("{}")
                offline = {**env, "npm_config_offline": "true"}
                command = command.replace("path/to/chinwag", str(ROOT))
                subprocess.run(["bash", "-c", command], cwd=folder, env=offline, check=True, stdout=subprocess.DEVNULL)
            # Node 20 has no WebSocket of its own.
            ws = (ROOT / "clients/js/node_modules/ws/wrapper.mjs").as_uri()
            Path(folder, "ws.mjs").write_text(f'import {{ WebSocket }} from "{ws}"; globalThis.WebSocket ??= WebSocket;')
            bot = subprocess.Popen([*argv, Path(folder, "bot.mjs")], cwd=folder, env=env)
            try:
                done = subprocess.run([sys.executable, "-c", ASK, f"ws://{http}/ws"], env=env, capture_output=True, text=True)
            finally:
                bot.kill()
                bot.wait()
            self.assertEqual(done.stdout, "boop\n", done.stderr)

    def test_the_bot_in_javascript_answers(self):
        self.answers("clients/js/README.md", "js", 'from "chinwag"', ["node", "--import", "./ws.mjs"])

    def test_the_bot_in_python_answers(self):
        self.answers("clients/python/README.md", "python", "from chinwag", [sys.executable])


if __name__ == "__main__":
    unittest.main()
