"""`chinwag chat` and `chinwag top`, as people use them."""

from __future__ import annotations

import signal
import subprocess
import unittest
from pathlib import Path

from screens import ADMIN_TOKEN, PATIENCE_S, PROGRAM, Server, Terminal, Terminals, await_that, folder


class Case(unittest.TestCase):
    """A test with a folder, and terminals that end with it."""

    def setUp(self) -> None:
        self.temporary = folder()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)
        self.terminals = Terminals(self.folder)
        self.addCleanup(self.terminals.close)

    def serve(self, **settings: str) -> Server:
        server = Server(self.folder, **settings)
        self.addCleanup(lambda: server.end(signal.SIGKILL))
        return server

    def chat(self, server: Server, name: str, *arguments: str, **more: object) -> Terminal:
        terminal = self.terminals.open(name, "chat", server.http, "--as", name, *arguments, **more)
        terminal.shows(f"you are {name}")
        return terminal

    def pipe(self, lines: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run([PROGRAM, "chat", *arguments], input=lines, env={}, capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout + done.stderr


class Chat(Case):
    def test_two_people_talk_in_rooms_and_alone(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        ann.ends_with("lobby>")
        bob = self.chat(server, "bob", "--room", "lobby", columns=40)
        ann.shows("* bob is here")
        long = "a line that is a good deal longer than forty columns"
        bob.type(long)
        ann.shows_line(f"bob: {long}")
        # What comes does not disturb what is typed, also where it is wrapped.
        bob.press("half of a line that is longer than forty columns")
        ann.type("hello bob")
        bob.shows_line("ann: hello bob")
        bob.ends_with("lobby> half of a line that is longer than forty columns")
        bob.press(" and whole", "Enter")
        ann.shows_line("bob: half of a line that is longer than forty columns and whole")

        bob.type("/join tea", "/topic of leaves")
        bob.shows("* bob changed the topic: of leaves")
        ann.type("/join tea", "/join lobby")
        ann.shows("topic: of leaves", "-- 2 here: ann, bob --")
        bob.type("one")
        ann.shows("something is unread in tea: /join tea")
        ann.type("")
        ann.ends_with("(+1) lobby>")
        bob.type("two")
        ann.type("/join tea")
        ann.shows("bob: one", "bob: two")
        ann.ends_with("tea>")
        self.assertEqual(len([line for line in ann.lines() if line.endswith("bob: one")]), 1)

        bob.type("/msg ann psst")
        ann.shows("[@bob] bob: psst")
        ann.type("/msg bob", "yes?")
        ann.ends_with("to bob>")
        bob.shows("[@ann] ann: yes?")
        bob.type("/jion x", "/kick ann", "/he")
        bob.shows("did you mean /join", "! ", "there is no /he")
        bob.press("/memb", "Tab", "Enter")
        bob.shows("-- 2 members: ann, bob --")
        bob.press("Up", "Up")
        bob.ends_with("(+1) tea> /he")
        bob.press("C-u", "C-d")
        bob.ends_with("left with 0")
        ann.type("/quit")
        ann.ends_with("left with 0")

    def test_nothing_is_lost_or_shown_twice_when_the_server_is_killed(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        bob = self.chat(server, "bob", "--room", "lobby", columns=40)
        said: list[str] = []

        def say(count: int) -> None:
            texts = [f"message {len(said) + nth}" for nth in range(count)]
            said.extend(texts)
            ann.type(*texts)

        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            say(3)
            bob.shows_line(f"ann: {said[-1]}")
            bob.press("half")
            server.end(how)
            for terminal in (ann, bob):
                terminal.shows("the server restarts" if how == signal.SIGTERM else "the connection is lost")
            say(2)
            ann.shows("it is kept until the server is back")
            server.start()
            say(2)
            bob.shows_line(f"ann: {said[-1]}")
            bob.ends_with("lobby> half")
            bob.press("C-u")
        self.assertEqual(bob.texts_of("ann", said), said)
        # What ann has typed is on her screen once: where she typed it.
        self.assertEqual(ann.texts_of("ann", said), [])
        for text in said:
            self.assertEqual(len([line for line in ann.lines() if line.endswith(f"> {text}")]), 1, text)
        self.assertNotIn("not sent", ann.screen())
        again = self.chat(server, "eve", "--room", "lobby")
        again.type("/history 100")

        def history() -> list[str]:
            return [line.partition(" ann: ")[2] for line in again.lines() if " ann: message " in line]

        await_that(lambda: history()[-len(said) :] == said, again.screen)

    def test_a_password_is_asked_for_and_not_shown(self) -> None:
        server = self.serve(auth="accounts")
        server.add_user("ann", "correct horse battery")
        ann = self.terminals.open("ann", "chat", server.http, "--as", "ann", "--room", "lobby")
        ann.ends_with("password of ann:")
        ann.type("wrong horse battery")
        ann.shows("! ")
        ann.ends_with("password of ann:")
        ann.type("correct horse battery")
        ann.ends_with("lobby>")
        self.assertNotIn("horse", ann.screen())
        ann.type("hi", "/logins")
        ann.shows("-- your logins --", "chinwag chat, here")
        ann.type("/endlogin 99", "/invite-link 20000", "/password short shorter")
        ann.shows("! you have no such login; expected: a number that /logins lists, others or all")
        ann.shows("! a link is for up to 10000 people", "! a password has 8 to 256 bytes")
        ann.press("C-d")
        ann.ends_with("left with 0")
        code, words = self.pipe("hi\n", server.http, "--as", "ann", "--room", "lobby")
        self.assertEqual(code, 1)
        self.assertIn("--token @FILE", words)

    def test_what_is_reported_is_told_listed_and_settled_and_acts_are_listed(self) -> None:
        server = self.serve()
        own = self.chat(server, "own")
        own.type("/create den", "/reports", "/audit")
        own.shows("-- nothing is reported --", "-- nothing was done over others --")
        bob = self.chat(server, "bob", "--room", "den")
        ann = self.chat(server, "ann", "--room", "den")
        eve = self.chat(server, "eve", "--room", "den")
        ann.type("/report", "/report @bob he  shouts")
        ann.shows("! it is written like this, for example: /report bob spam", "-- it is reported to the moderators or administrators --")
        own.shows("-- something was reported in den: /reports --")
        eve.type("/report bob")
        eve.shows("-- it is reported to the moderators or administrators --")
        own.type("/reports")
        own.shows("ann reports bob in den: he  shouts", "-- /settle and the number ends one --")
        # A report without a reason ends with what it is about.
        await_that(lambda: any(line.endswith("eve reports bob in den") for line in own.lines()), own.screen)
        row = next(line for line in own.lines() if line.endswith(": he  shouts"))
        number = row.split()[0]
        for other in (bob, ann):
            other.type("/reports", f"/settle {number}", "/audit", "/audit all")
            other.shows("-- nothing is reported --", "! there is no report of this id that you may settle")
            other.shows("! only the owners of a room see what was done there", "! only administrators see what was done everywhere")
            self.assertNotIn("something was reported", other.screen())
        own.type(f"/settle {number}", f"/settle {number}", "/settle", "/audit")
        own.shows(f"-- report {number} is settled --", "! there is no report of this id that you may settle")
        own.shows("! it is written like this, for example: /settle 3", "own: settle report bob in den")
        # Acts are noted behind their records.
        own.type("/kick bob rude")
        bob.shows("-- you were removed from den --")

        def is_listed() -> bool:
            own.type("/audit")
            return "own: kick bob in den" in own.screen()

        await_that(is_listed, own.screen)

    def test_a_display_name_stands_behind_the_name_and_follows_its_changes(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        bob = self.chat(server, "bob", "--room", "lobby")
        bob.type("/display Bob of the Bay", "before")
        # Asked for when he speaks, and shown once it is known: his first line does not wait for it.
        ann.shows("bob ~Bob of the Bay")
        bob.type("now")
        ann.shows_line("bob ~Bob of the Bay: now")
        bob.type("/display -")
        bob.shows("-- bob has no display name, no status and no colour --")

        said = 0

        def is_plain() -> bool:
            nonlocal said
            shown = [line for line in ann.lines() if line.endswith(": after")]
            if len(shown) == said and "bob: after" not in shown:
                bob.type("after")
                said += 1
            return "bob: after" in shown

        # Changes are told within a second.
        await_that(is_plain, ann.screen)
        eve = self.chat(server, "eve", "--room", "lobby")
        eve.type("/display Eve Adams")
        eve.shows("-- eve is called Eve Adams --")
        eve.type("hi")
        ann.shows("eve ~Eve Adams")
        eve.type("hello")
        ann.shows_line("eve ~Eve Adams: hello")
        kit = self.chat(server, "kit", "--room", "lobby")
        kit.shows("eve ~Eve Adams: hello")

    def test_what_is_wrong_is_said_in_words_for_people(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        ann.type("/status 2y at sea", "/settle 99999999999999999999")
        ann.shows("! a status lasts for up to a year; expected: a time such as that of /status 30d at sea")
        ann.shows("! there is no report of this id that you may settle; expected: a number that /reports lists")
        for wrong in (("--as", "Ann Smith", "--room", "lobby"), ("--as", "bob", "--room", "tea time")):
            code, words = self.pipe("hi\n", server.http, *wrong)
            self.assertEqual(code, 1, words)
            self.assertIn("; expected: ", words)

    def test_what_others_write_cannot_change_the_terminal(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby", environment="NO_COLOR=1")
        code, words = self.pipe("abc\u202edef\u2066ghi\n", server.http, "--as", "eve", "--room", "lobby")
        self.assertEqual((code, words), (0, ""))
        ann.shows_line("eve: abc?def?ghi")
        code, words = self.pipe("\x1b[2Jgone\n", server.http, "--as", "eve", "--room", "lobby")
        self.assertEqual(code, 1)
        self.assertIn("control character", words)
        self.assertNotIn("\x1b[", ann.screen("-e"))
        bob = self.chat(server, "bob", "--room", "lobby")
        bob.shows("eve: abc?def?ghi")
        self.assertIn("\x1b[", bob.screen("-e"))

    def test_a_pipe_sends_each_line_and_says_how_it_went(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        self.assertEqual(self.pipe("one\n\n/two\n", server.http, "--as", "bob", "--room", "lobby"), (0, ""))
        ann.shows_line("bob: one")
        ann.shows_line("bob: /two")
        self.assertEqual(self.pipe("psst", server.http, "--as", "bob", "--room", "@ann"), (0, ""))
        ann.shows("[@bob] bob: psst")
        code, words = self.pipe("hi\n", server.http, "--as", "bob")
        self.assertEqual(code, 1)
        self.assertIn("--room lobby", words)
        code, words = self.pipe("hi\n", server.http, "--as", "bob", "--room", "not a room")
        self.assertEqual(code, 1)
        self.assertIn("not a room", words)
        server.end(signal.SIGKILL)
        code, words = self.pipe("hi\n", server.http, "--room", "lobby")
        self.assertEqual(code, 1)
        self.assertIn("cannot reach", words)
        server.start()


class Top(Case):
    def test_rooms_and_connections_are_watched_with_the_token(self) -> None:
        server = self.serve()
        ann = self.chat(server, "ann", "--room", "lobby")
        (self.folder / "token").write_text(f"{ADMIN_TOKEN}\n")
        top = self.terminals.open("top", "top", server.admin, "--token", "@token", "--every", "1", columns=100)
        top.shows("connections by lag", "rooms by subscribers", "lobby", "ann")
        self.chat(server, "bob", "--room", "tea")
        top.shows("tea", "bob")
        top.press("c", "r")
        top.shows("connections by bytes", "rooms by members")
        server.end(signal.SIGKILL)
        top.shows("refused")
        server.start()
        top.shows("rooms by members", "ann", "bob")
        top.press("q")
        top.ends_with("left with 0")
        # The terminal is as it was before.
        top.type("typed afterwards")
        top.shows("typed afterwards")
        ann.shows("connected again")

        narrow = self.terminals.open("narrow", "top", server.admin, "--token", "@token", columns=40, rows=30)
        narrow.shows("connections by lag", "ann", "lobby")
        narrow.press("C-c")
        narrow.ends_with("left with 0")

    def test_without_a_token_there_are_the_numbers_and_a_hint(self) -> None:
        server = self.serve()
        top = self.terminals.open("top", "top", server.admin, columns=100)
        top.shows("connections", "messages", "admin_token")
        wrong = subprocess.run([PROGRAM, "top", server.admin, "--token", "wrong"], env={}, capture_output=True, text=True)
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("token", wrong.stderr)
        printed = subprocess.run([PROGRAM, "top", server.admin], env={}, capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual((printed.returncode, printed.stderr), (0, ""))
        self.assertRegex(printed.stdout, r"messages +\d")
        self.assertNotRegex(printed.stdout, r"\x1b|quits|\n\n\n")


if __name__ == "__main__":
    unittest.main()
