"""What every verb of the ``hand3r`` command shares."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Verbs: TypeAlias = 'argparse._SubParsersAction[argparse.ArgumentParser]'
