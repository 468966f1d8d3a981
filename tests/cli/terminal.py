"""Somebody at a terminal: types answers to the questions of the program."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def talk(arguments: list[str], *answers: tuple[str, str]) -> tuple[int, str]:
    """Runs the program on a terminal; types each answer when its question stands there, in this order.

    Returns the exit code and all that was shown, without colours. A question that never comes ends by the test's time.
    """
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    )
    os.close(side)
    shown, asked, waiting = b"", 0, list(answers)
    try:
        while True:
            shown += os.read(main, 4096)
            if waiting and waiting[0][0].encode() in shown[asked:]:
                asked = len(shown)
                os.write(main, f"{waiting.pop(0)[1]}\n".encode())
    except OSError:  # the other side is closed
        pass
    code = process.wait(30)
    os.close(main)
    assert not waiting, (waiting, shown.decode("utf-8", "replace"))
    return code, STEERING.sub("", shown.decode("utf-8", "replace")).replace("\r\n", "\n")
