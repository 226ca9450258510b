"""Forks an api process for each line that it reads, JSON of its settings, and writes its id.

Importing booking takes more than all else that a process does, and so happens once.
"""

import json
import os
import signal
import sys

from booking.__main__ import SERVICE
from chassis.serve import main

if __name__ == "__main__":
    # So that those who were killed are gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ.update(json.loads(line))
            # Only ids are read from our output, and a log that nobody reads would stop the writer.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            main(SERVICE, ["api"])
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
