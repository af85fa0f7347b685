"""Checks of topics: rate, and stamps of what is published."""

from __future__ import annotations

from typing import Any

from diagnostic_updater._tasks import CompositeDiagnosticTask
from diagnostic_updater._update_functions import (
    FrequencyStatus,
    FrequencyStatusParam,
    TimeStampStatus,
    TimeStampStatusParam,
)
from diagnostic_updater._updater import Updater


class HeaderlessTopicDiagnostic(CompositeDiagnosticTask):
    """Checks the rate of a topic."""

    def __init__(self, name: str, diag: Updater, freq: FrequencyStatusParam):
        super().__init__(f'{name} topic status')
        self.freq = FrequencyStatus(freq)
        self.addTask(self.freq)
        diag.add(self)

    def tick(self) -> None:
        """Count a message."""
        self.freq.tick()

    def clear_window(self) -> None:
        """Start counting again."""
        self.freq.clear()


class TopicDiagnostic(HeaderlessTopicDiagnostic):
    """Checks the rate and the stamps of a topic."""

    def __init__(self, name: str, diag: Updater, freq: FrequencyStatusParam, stamp: TimeStampStatusParam):
        super().__init__(name, diag, freq)
        self.stamp = TimeStampStatus(stamp)
        self.addTask(self.stamp)

    def tick(self, stamp: Any = None) -> None:
        """Count a message with this stamp."""
        if stamp is None:
            raise TypeError('TopicDiagnostic.tick needs the stamp of the message')
        self.stamp.tick(stamp)
        super().tick()


class DiagnosedPublisher(TopicDiagnostic):
    """Publishes messages with a header and checks them."""

    def __init__(self, pub: Any, diag: Updater, freq: FrequencyStatusParam, stamp: TimeStampStatusParam):
        super().__init__(pub.topic_name, diag, freq, stamp)
        self.publisher = pub

    def publish(self, message: Any) -> None:
        """Check and publish a message."""
        self.tick(message.header.stamp)
        self.publisher.publish(message)
