"""Parameters of the camera player."""

from __future__ import annotations

from dataclasses import dataclass

from hand3r_ros.imaging.limits import DecodingOptions
from hand3r_ros.node.parameter_fields import Changes, parameter, parameter_of

START = Changes.NEVER


@dataclass(frozen=True)
class PlayerParameters:
    """What is played, how, and when it begins and ends."""

    source: str = parameter(
        '',
        'Video, image, folder of images, or a camera of this machine (/dev/video0, or its number)',
        START,
        is_path=True,
    )
    fps: float = parameter(
        5.0, 'Images per second; 0: the rate of the video or camera', START, minimum=0.0, maximum=120.0
    )
    frames: int = parameter(100, 'Images per pass; 0: all images of the source', START, minimum=0, maximum=1_000_000)
    loop: bool = parameter(False, 'Start again at the end', START)
    frame_id: str = parameter('camera_optical_frame', 'Frame of every header', START)

    max_size: int = parameter(
        1280,
        'Downscale larger videos and images to this, px of the longer side; 0: never',
        START,
        minimum=0,
        maximum=16384,
    )
    max_image_pixels: int = parameter_of(DecodingOptions, 'max_image_pixels', START)
    intrinsics: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0),
        'fx fy cx cy of the displayed (upright) video or images, px; zeros: unknown, no camera_info',
        START,
        length=4,
    )

    reliability: str = parameter('reliable', 'QoS reliability of image', START, choices=('reliable', 'best_effort'))
    compressed: bool = parameter(False, 'Also publish image/compressed (JPEG)', START)
    jpeg_quality: int = parameter(90, 'JPEG quality of image/compressed', START, minimum=1, maximum=100)
    wait_for_subscribers: int = parameter(
        1, 'Start when image and image/compressed have this many subscriptions', START, minimum=0, maximum=1000
    )
    wait_for_recorder: bool = parameter(False, 'Start when image/compressed has a subscription', START)
    wait_timeout: float = parameter(
        120.0, 'Start anyway after this many seconds; 0: never', START, minimum=0.0, maximum=86400.0
    )
    start_delay: float = parameter(1.0, 'Delay between then and the first image, s', START, minimum=0.0, maximum=3600.0)
    exit_at_end: bool = parameter(True, 'End the process after the last image', START)
    read_ahead: int = parameter(
        100,
        'Images to prepare before the first is published, so that preparing them takes no CPU time from '
        'other nodes later',
        START,
        minimum=1,
        maximum=10_000,
    )
