"""The mailbox keeps only the newest item, and the worker survives what its items do."""

from __future__ import annotations

import threading

import pytest

from hand3r_ros.node.mailbox import Mailbox
from hand3r_ros.node.worker import Worker


def test_a_newer_item_replaces_the_waiting_one_and_says_so() -> None:
    discarded: list[None] = []
    mailbox: Mailbox[int] = Mailbox(lambda: discarded.append(None))
    for item in (1, 2, 3):
        mailbox.put(item)
    assert mailbox.take(0.0) == 3 and len(discarded) == 2
    assert mailbox.take(0.0) is None
    mailbox.put(4)
    assert len(discarded) == 2


def test_take_wakes_when_an_item_comes() -> None:
    mailbox: Mailbox[str] = Mailbox()
    threading.Timer(0.05, mailbox.put, ['late']).start()
    assert mailbox.take(10.0) == 'late'


def test_emptied_it_takes_the_next_item() -> None:
    discarded: list[None] = []
    mailbox: Mailbox[int] = Mailbox(lambda: discarded.append(None))
    mailbox.put(1)
    mailbox.empty()
    assert len(discarded) == 1 and mailbox.take(0.0) is None
    mailbox.put(2)
    assert mailbox.take(0.0) == 2


def test_a_closed_mailbox_is_empty_and_stays_so() -> None:
    discarded: list[None] = []
    mailbox: Mailbox[int] = Mailbox(lambda: discarded.append(None))
    mailbox.put(1)
    mailbox.close()
    assert len(discarded) == 1  # the one that waited
    mailbox.put(2)
    mailbox.close()
    assert len(discarded) == 2
    assert mailbox.take(10.0) is None


class Recorder:
    """Records what a worker does, and fails for negative items."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.errors: list[str] = []
        self.changed = threading.Condition()
        self.idle_calls = 0

    def handle(self, item: int) -> None:
        with self.changed:
            self.changed.notify_all()
            if item < 0:
                raise ValueError(str(item))
            self.done.append(item)

    def failed(self, error: Exception) -> None:
        with self.changed:
            self.errors.append(str(error))
            self.changed.notify_all()

    def idle(self) -> None:
        with self.changed:
            self.idle_calls += 1
            self.changed.notify_all()

    def wait(self, condition) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 10.0)


def test_an_item_that_fails_is_reported_and_the_next_one_is_done() -> None:
    recorder, mailbox = Recorder(), Mailbox()
    worker = Worker(mailbox, recorder.handle, recorder.failed)
    worker.start()
    mailbox.put(-1)
    recorder.wait(lambda: recorder.errors == ['-1'])
    mailbox.put(7)
    recorder.wait(lambda: recorder.done == [7])
    worker.stop()


def test_idle_runs_while_nothing_comes() -> None:
    recorder, mailbox = Recorder(), Mailbox()
    worker = Worker(mailbox, recorder.handle, recorder.failed, recorder.idle, idle_seconds=0.01)
    worker.start()
    recorder.wait(lambda: recorder.idle_calls >= 2)
    worker.stop()


def test_stop_lets_the_item_in_progress_finish_and_ends_the_thread() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []

    def handle(item: int) -> None:
        begun.set()
        may_end.wait(10.0)
        done.append(item)

    mailbox: Mailbox[int] = Mailbox()
    worker = Worker(mailbox, handle, lambda error: pytest.fail(str(error)))
    worker.start()
    mailbox.put(1)
    assert begun.wait(10.0)
    threading.Timer(0.05, may_end.set).start()
    worker.stop()
    assert done == [1]
    assert 'hand3r_worker' not in {thread.name for thread in threading.enumerate()}


def test_a_worker_that_never_started_can_be_stopped() -> None:
    Worker(Mailbox(), lambda item: None, lambda error: None).stop()
