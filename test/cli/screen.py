# SPDX-License-Identifier: Apache-2.0
"""`weir top` on a terminal: what it draws, its keys, another size, and that it gives the terminal back however it ends."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"
count = failed = 0


def check(good, name, note=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good and note:
        print("# " + str(note).replace("\n", "\n# "))


class Terminal:
    def __init__(self, *args, rows=24, columns=100):
        self.out = b""
        self.master, slave = pty.openpty()
        self.slave = slave
        self.size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.execv("build/weir", ["weir", "top", *args])

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, done, seconds=10):
        """Takes in what comes until done(what came since the last call); what came, or None when time is up."""
        new, end = b"", time.monotonic() + seconds
        while not done(new):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                self.out += new
                return None
            try:
                new += os.read(self.master, 65536)
            except OSError:
                break
        self.out += new
        return new

    def frame(self, what):
        """The lines of the next screen that has these words."""
        def whole(new):
            frames = new.split(b"\033[H")[1:]
            return any(what in f and f.endswith(b"\033[J") for f in frames)
        new = self.read_until(whole)
        if new is None:
            return []
        last = [f for f in new.split(b"\033[H")[1:] if what in f][-1]
        return [re.sub(rb"\033\[[0-9;]*[A-Za-z]", b"", line).rstrip(b"\r").decode() for line in last.split(b"\n")]

    def key(self, keys):
        os.write(self.master, keys)

    def end(self):
        """How it ended, when it did in ten seconds."""
        for _ in range(200):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.read_until(lambda new: False, 0.2)
                return status
            self.read_until(lambda new: False, 0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None

    def is_restored(self):
        return self.out.rfind(LEAVE) > self.out.rfind(ENTER) >= 0 and termios.tcgetattr(self.slave) == self.before

    def close(self):
        os.close(self.master)
        os.close(self.slave)


ARGS = ("--since", "2020-01-01", "--interval", "200ms")

t = Terminal(*ARGS)
lines = t.frame(b"default/server:80")
check(lines and lines[0].startswith("weir top flows ") and lines[0].endswith("by rate"), "the head", lines)
check(len(lines) > 2 and re.match(r"SOURCE +DESTINATION +PROTOCOL +FLOWS/S +FLOWS +DROPPED$", lines[1]), "the headings", lines)
check(any("evil^[[31m\\r\\n" in line for line in lines), "what a name says does not move the terminal", lines)
check(lines and lines[-1].startswith("q quit"), "the keys are told", lines)
t.key(b"b")
lines = t.frame(b"by bad")
check(len(lines) > 2 and lines[2].split()[-1] == "1", "b: what is dropped comes first", lines)
t.key(b"n")
check([line.split()[0] for line in t.frame(b"by name")[2:4]] == ["default/client"] * 2, "n: by name")
t.size(5, 30)
lines = t.frame(b"q quit")
lines = t.frame(b"q quit")
check(len(lines) == 5 and max(map(len, lines)) == 30, "another size: cut to what fits", lines)
t.size(1, 1)
check([len(line) for line in t.frame(b"w")] == [1], "one character is enough")
t.key(b"q")
check(t.end() == 0 and t.is_restored(), "q ends it, the terminal is as it was", t.out[-200:])
t.close()

for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV, signal.SIGABRT):
    t = Terminal(*ARGS)
    t.frame(b"default/server:80")
    os.kill(t.pid, sig)
    status = t.end()
    check(status is not None and os.WTERMSIG(status) == sig and t.is_restored(), f"{sig.name}: the terminal is as it was", status)
    t.close()

t = Terminal(*ARGS)
t.frame(b"default/server:80")
t.key(b"\003")
status = t.end()
check(status is not None and os.WTERMSIG(status) == signal.SIGINT and t.is_restored(), "Ctrl-C", status)
t.close()

t = Terminal(*ARGS)
t.frame(b"default/server:80")
os.kill(t.pid, signal.SIGTSTP)
pid, status = os.waitpid(t.pid, os.WUNTRACED)
t.read_until(lambda new: False, 0.2)
check(os.WIFSTOPPED(status) and t.is_restored(), "a stop gives the terminal back")
os.kill(t.pid, signal.SIGCONT)
check(t.frame(b"default/server:80") and t.out.rfind(ENTER) > t.out.rfind(LEAVE), "and it is taken again")
t.key(b"q")
check(t.end() == 0 and t.is_restored(), "until the end")
t.close()

t = Terminal("pods", "-n", "2", *ARGS)
check(t.end() == 0 and t.is_restored() and b"weir top pods" in t.out, "-n: so many screens")
t.close()

t = Terminal("--server", "unix:///nowhere.sock")
status = t.end()
check(status is not None and os.WEXITSTATUS(status) == 1 and t.is_restored() and
      t.out.rfind(b"cannot connect") > t.out.rfind(LEAVE), "an error is told on the terminal as it was", t.out)
t.close()

print(f"1..{count}")
sys.exit(failed > 0)
