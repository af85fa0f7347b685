"""ROS domains of tests: one number for one test at a time, whatever else is being tested on the machine."""

from __future__ import annotations

import itertools
import os
import socket
import threading

DOMAINS = range(1, 101)  # from 102 on their ports are among those that Linux hands out to any program
_claims: dict[int, socket.socket] = {}
_numbers = itertools.count()
_lock = threading.Lock()


def private_domain() -> int:
    """A ROS_DOMAIN_ID that no other test has, until ``release_domain`` or the end of this process.

    It is claimed by a port that the middleware of that domain would use for its hundred-and-twentieth process.

    Raises:
        RuntimeError: when all are taken.
    """
    with _lock:
        for _ in DOMAINS:
            # One after the other: a process that was killed stays visible in its domain for a while.
            domain = DOMAINS[(os.getpid() * 7 + next(_numbers)) % len(DOMAINS)]
            claim = socket.socket()
            try:
                claim.bind(('127.0.0.1', 7400 + 250 * domain + 249))
            except OSError:
                claim.close()
                continue
            _claims[domain] = claim
            return domain
    raise RuntimeError(f'all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are taken by tests that are running')


def release_domain(domain: int) -> None:
    """Let other tests have a domain of ``private_domain``."""
    with _lock:
        if domain in _claims:
            _claims.pop(domain).close()
