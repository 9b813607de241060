# SPDX-License-Identifier: GPL-2.0
"""doc.py [--host] FILE...: runs the commands that Markdown files show, and compares what they print with what
the files say. doc.py --write FOLDER FILE: writes the files that a document has.

A block between ``` is a session: lines that begin with `# ` (root) or `$ ` (user) are commands, which may go on
by a \\ at their end or by a here-document; the lines below one are all that it prints, on both streams. A command
with nothing below it must succeed and print nothing. A line `…` stands for any lines, `…` within a line for any
characters. The sessions of a file share a shell, in a folder that has what LANA's checkout has.

A block with a language (```c) is no session, nor is a drawing (```text). Marks are comments in a line of their
own, which a reader does not see. These stand above a block and are about it:

  <!-- test: as COMMAND -->      all of it, but for a command in its first line, is what COMMAND prints
  <!-- test: file PATH -->       it is a file: a part of it if LANA has it, else it is written
  <!-- test: more PATH -->       it is the next part of a file that is written, behind an empty line
  <!-- test: varies REGEX -->    what matches REGEX may be anything else that does, and columns may have other
                                 widths; may be there several times
  <!-- test: host -->            it is run on the host, by tests/docs; all others in a booted kernel, by
                                 tests/kernel/docs.sh
  <!-- test: skip REASON -->     it is not run

These stand anywhere:

  <!-- test: new -->             begins a new shell, with lana loaded and without blocks, devices, namespaces
  <!-- test: run COMMAND -->     runs something that is not shown
  <!-- test: says COMMAND -->    in a row of a table: COMMAND prints the message in the first column; or skip"""

import contextlib
import difflib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from lana import TOP, check, end

ABOVE = ("as", "file", "more", "varies", "host", "skip")
ANYWHERE = ("new", "run", "says")
SECONDS = 300


class Wrong(Exception):
    """Something in a document is not so: its line, and what."""

    def __init__(self, line, what, more=""):
        super().__init__(f"{line}: {what}")
        self.line, self.what, self.more = line, what, more


class Block:
    """What stands between two ```, and the marks above it."""

    def __init__(self, line, language, marks):
        self.line, self.language, self.marks, self.lines = line, language, dict(marks), []
        self.varies = [rest for word, rest in marks if word == "varies"]

    def write(self, folder):
        """Writes the file, or the part of one, that this is."""
        more = self.marks.get("more")
        path = f"{folder}/{more or self.marks['file']}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a" if more else "w", encoding="utf-8") as file:
            file.write("\n" * bool(more) + "\n".join(self.lines) + "\n")

    def commands(self):
        """Line, text and output of each command."""
        found, lines = [], iter(enumerate(self.lines, self.line + 1))
        for number, line in lines:
            if re.match(r"[#$] ", line):
                command = line[2:]
                until = re.search(r"(?<!<)<<-?\s*['\"]?(\w+)", command)
                while command.endswith("\\") or until and command.rsplit("\n", 1)[-1].strip() != until[1]:
                    _, more = next(lines, (None, None))
                    if more is None:
                        raise Wrong(number, f"this command has no end: {command}")
                    command += "\n" + more
                found.append((number, command, []))
            elif found:
                found[-1][2].append(line)
            else:
                raise Wrong(number, f"this is no command, and no mark says what it is: {line}")
        return found


class Document:
    """A Markdown file. `items` are its headings, blocks and marks in their order: what, line, content."""

    def __init__(self, path):
        self.path, self.items = path, []
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().split("\n")
        marks, block, indent = [], None, ""
        for number, line in enumerate(self.lines, 1):
            fence = re.match(r"(\s*)```(.*)", line)
            mark = re.search(r"<!-- test: (\w+)(?: (.*))? -->", line)
            if block and fence:
                self.items.append(("block", block.line, block))
                block = None
            elif block:
                block.lines.append(line.removeprefix(indent))
            elif fence:
                block, indent, marks = Block(number, fence[2], marks), fence[1], []
            elif mark and mark[1] == "skip" and mark[2] and line.lstrip().startswith("|"):
                self.items.append(("skip", number, mark[2]))
            elif mark and mark[1] in ABOVE and (mark[2] or mark[1] == "host"):
                marks.append((mark[1], mark[2]))
            elif mark and mark[1] in ANYWHERE:
                self.items.append((mark[1], number, mark[2]))
            elif "<!-- test" in line:
                raise Wrong(number, f"this is no mark: {line.strip()}")
            elif marks and line.strip():
                raise Wrong(number, "the mark above this wants a block")
            elif line.startswith("#"):
                self.items.append(("heading", number, line.lstrip("# ")))
        if block:
            raise Wrong(block.line, "this block has no end")

    def blocks(self):
        """Its blocks."""
        return [what for kind, _, what in self.items if kind == "block"]


# --- What a shell prints ---------------------------------------------------------------------


def tidy(text):
    """Without what a terminal does not show, blanks at the ends of lines, and blank lines at the end."""
    text = re.sub("\x1b\\[[0-9;?]*[a-z]|\r", "", text)
    return "".join(line.rstrip() + "\n" for line in text.rstrip().splitlines())


def pattern(text, varies):
    """A regular expression for a text, in which what matches one of `varies` may be something else."""
    found, at = "", 0
    for match in re.finditer("|".join(varies), text) if varies else ():
        same = next(each for each in varies if re.compile(each).match(text, match.start()))
        found += re.escape(text[at:match.start()]) + f"(?:{same})"
        at = match.end()
    found += re.escape(text[at:])
    return re.sub(r"(\\ )+", " +", found) if varies else found


def matches(expected, varies, printed):
    """Whether this is what was expected."""
    found = ""
    for line in expected.splitlines():
        if line.strip() == "…":
            found += "(?:.*\n)*"
        else:
            found += ".*".join(pattern(part, varies) for part in line.split("…")) + "\n"
    return re.compile(found, re.M).fullmatch(printed) is not None


class Shell:
    """A shell that does one command after the other, in a folder."""

    def __init__(self, folder, before):
        for name in os.listdir(TOP):
            os.symlink(f"{TOP}/{name}", f"{folder}/{name}")
        self.answers, done = os.pipe()
        self.ended = f"{done}>&-; echo $? >&{done}"
        self.bash = subprocess.Popen(
            [*before, "bash", "--norc"], cwd=folder, stdin=subprocess.PIPE, pass_fds=[done], start_new_session=True,
            env={**os.environ, "HOME": folder, "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                 "MAKEFLAGS": "", "MAKELEVEL": "",
                 # What Python has compiled once is not compiled again.
                 "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": "/tmp/pycache"})
        os.close(done)
        self.type("shopt -s expand_aliases")

    def type(self, text):
        """As one types."""
        self.bash.stdin.write(text.encode() + b"\n")
        self.bash.stdin.flush()

    def run(self, command, good=lambda printed: True):
        """Runs a command: its exit status (None: it has no end) and what it has printed. What it leaves in the
        background is listened to until that is good."""
        with tempfile.TemporaryDirectory() as folder:
            def printed():
                with open(f"{folder}/out", encoding="utf-8", errors="replace", newline="") as file:
                    return tidy(file.read())

            with open(f"{folder}/command", "w", encoding="utf-8") as file:
                file.write(command + "\n")
            until = time.monotonic() + SECONDS
            self.type(f". {folder}/command >{folder}/out 2>&1 </dev/null {self.ended}")
            if not select.select([self.answers], [], [], SECONDS)[0]:
                return None, printed()
            status = os.read(self.answers, 100).decode().strip()
            background = re.search(r"(?<![&>])&(?![&>\d])", command)
            while background and not good(printed()) and time.monotonic() < until:
                time.sleep(0.05)
            return status, printed()

    def end(self):
        """Ends it, and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait()
        self.bash.stdin.close()
        os.close(self.answers)


# --- Running a document ----------------------------------------------------------------------

# In a kernel: network namespaces, and what is in them, end with the shell.
ALONE = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t tmpfs run /run && ip link set lo up && exec "$@"', "-"]
UNLOAD = """
    for try in $(seq 50); do
        loaded=$(grep -oE '^(fb_[a-z_]+|lana) ' /proc/modules) || exit 0
        rmmod $loaded 2>/dev/null || sleep 0.1
    done
    rmmod $loaded"""


class Runner:
    """Runs what is for the host, or for a booted kernel."""

    def __init__(self, host):
        self.host, self.shell = host, None
        self.folder = f"{TOP}/build/docs" if host else "/tmp/docs"

    def begin(self):
        """A new shell, and in a kernel nothing but lana."""
        self.end()
        os.makedirs(self.folder)
        if not self.host:
            subprocess.run(["modprobe", "lana"], check=True)
        self.shell = Shell(self.folder, [] if self.host else ALONE)

    def end(self):
        """Ends the shell; nothing of it is left."""
        if self.shell:
            self.shell.end()
            self.shell = None
        shutil.rmtree(self.folder, ignore_errors=True)
        if not self.host:
            subprocess.run(["sh", "-c", UNLOAD], check=True)

    def command(self, line, command, expected, varies):
        """A command, and what it is to print."""
        status, printed = self.shell.run(command, lambda now: matches(expected, varies, now))
        if status is None:
            self.begin()
            raise Wrong(line, f"no end within {SECONDS} seconds: {command}", printed)
        if not matches(expected, varies, printed):
            diff = difflib.unified_diff(expected.splitlines(), printed.splitlines(), "shown", "printed", "", "", 1, "")
            raise Wrong(line, f"prints something else: {command}", "\n".join(diff))
        if status != "0" and not expected:
            raise Wrong(line, f"exit status {status}: {command}")

    def block(self, block):
        """A block, by its marks."""
        path, whole = block.marks.get("file"), block.marks.get("as")
        if path and os.path.exists(f"{TOP}/{path}"):
            with open(f"{TOP}/{path}", encoding="utf-8") as file:
                if "\n".join(block.lines) + "\n" not in file.read():
                    raise Wrong(block.line, f"{path} does not have this")
        elif path or "more" in block.marks:
            block.write(self.folder)
        elif whole:
            shown = block.lines[1 if re.match(r"[#$] ", block.lines[0]) else 0:]
            self.command(block.line, whole, tidy("\n".join(shown)), block.varies)
        else:
            for line, command, shown in block.commands():
                self.command(line, command, tidy("\n".join(shown)), block.varies)

    def hidden(self, line, command):
        """A command that is not shown."""
        status, printed = self.shell.run(command)
        if status != "0":
            raise Wrong(line, f"exit status {status}: {command}", printed)

    def says(self, line, row, command):
        """A row of a table of messages."""
        message = re.match(r"\s*\| `([^`]+)`", row)
        if not message:
            raise Wrong(line, "there is no message in the first column")
        _, printed = self.shell.run(command)
        if not re.search(".*".join(map(re.escape, message[1].split("…"))), printed):
            raise Wrong(line, f"says something else: {command}", printed)

    def ours(self, kind, what):
        """Whether this is to be run here."""
        if kind != "block":
            return kind != "skip" and not self.host
        if what.marks.get("skip") or what.language == "text" and "as" not in what.marks:
            return False
        return bool({"file", "more"} & set(what.marks)) or ("host" in what.marks) == self.host

    def document(self, document):
        """All of a document: a result for each of its headings that has something to run."""
        heading, wrong, ran, begun = "", [], 0, False

        def result():
            if ran or wrong:
                check(f"{os.path.relpath(document.path, TOP)}: {heading}", not wrong, *(
                    f"{document.path}:{each.line}: {each.what}\n{each.more}" for each in wrong))

        for kind, line, what in document.items:
            if kind == "heading":
                result()
                heading, wrong, ran = what, [], 0
            elif self.ours(kind, what):
                try:
                    if kind == "new" or not begun:
                        begun = True
                        self.begin()
                    ran += kind == "says" or kind == "block" and not {"file", "more"} & set(what.marks)
                    if kind == "block":
                        self.block(what)
                    elif kind == "run":
                        self.hidden(line, what)
                    elif kind == "says":
                        self.says(line, document.lines[line - 1], what)
                except Wrong as error:
                    wrong.append(error)
        result()
        if begun:
            self.end()


def main():
    """As the head of this file says."""
    if sys.argv[1] == "--write":
        for block in Document(sys.argv[3]).blocks():
            path = block.marks.get("file") or block.marks.get("more")
            if path and not os.path.exists(f"{TOP}/{path}"):
                block.write(sys.argv[2])
        return
    runner = Runner("--host" in sys.argv)
    for path in sys.argv[1:]:
        if path != "--host":
            try:
                runner.document(Document(path))
            except Wrong as error:
                check(path, False, f"{path}:{error}")
    end()


if __name__ == "__main__":
    main()
