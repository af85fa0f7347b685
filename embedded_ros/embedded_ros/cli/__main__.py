"""``python -m embedded_ros.cli`` is the command ``ros2``."""

import sys

from .main import main

sys.exit(main())
