"""Proportional set size of a process and its family."""

import os
import subprocess

from ops import memory


def test_a_family_has_its_children() -> None:
    with subprocess.Popen(["/bin/sleep", "1000"]) as child:
        assert {os.getpid(), child.pid} <= memory.family(os.getpid())
        child.kill()


def test_our_own_memory_is_counted() -> None:
    assert memory.proportional_set_size([os.getpid()]) > memory.MIB


def test_who_is_gone_counts_nothing() -> None:
    with subprocess.Popen(["/bin/true"]) as gone:
        pass
    assert memory.family(gone.pid) == set()
    assert memory.proportional_set_size([gone.pid]) == 0
