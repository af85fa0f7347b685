"""Summary at the end of a run."""

from __future__ import annotations

from pathlib import Path

from hand3r_ros.offline.parts import SINGLE_FILE
from hand3r_ros.offline.tally import LISTED, Tally


def summary(tally: Tally, out: Path, messages: int, notes: tuple[str, ...], topic_prefix: str) -> str:
    """Counts, what went wrong, and how to look at the result."""
    per_image = 1e3 * tally.seconds / max(1, tally.processed)
    sessions = '' if tally.sessions == 1 else f', {tally.sessions} sessions (each has a world of its own)'
    lines = [
        f'{tally.processed} images in {tally.seconds:.1f} s ({per_image:.0f} ms each), {tally.hands} hands in '
        f'{tally.frames_with_hands} of them{sessions}'
    ]
    if tally.with_depth:
        lines.append(f'{tally.with_depth} images with measured depth')
    lines += _skipped(tally)
    if tally.without_detections:
        lines.append(f'{tally.without_detections} images had no hand boxes: {tally.why_without}')
    if tally.bad_boxes:
        lines.append(f'{tally.bad_boxes} hand boxes were left out, such as: {tally.bad_box}')
    lines += [f'note: {note}' for note in notes]
    lines += [f'note: {text}' + (f' ({n} times)' if n > 1 else '') for text, n in tally.warnings.items()]
    lines.append(f'{out}: {_size(out)}, {messages} messages ({topic_prefix}/hands, {topic_prefix}/map, /tf, ...)')
    storage = '-s mcap ' if out.suffix == SINGLE_FILE else ''
    lines.append(f'look at it: ros2 bag play {storage}{out}   (RViz: rviz/hand3r.rviz), or open it in Foxglove')
    return '\n'.join(lines)


def _skipped(tally: Tally) -> list[str]:
    if not tally.skipped:
        return []
    causes = ', '.join(f'{cause} {count}' for cause, count in tally.skipped.items())
    lines = [f'skipped {tally.skipped_images}: {causes}']
    lines += [f'  {text}' for text in tally.skipped_list]
    if tally.skipped_images > LISTED:
        lines.append(f'  and {tally.skipped_images - LISTED} more')
    return lines


def _size(out: Path) -> str:
    files = [out] if out.is_file() else [file for file in out.rglob('*') if file.is_file()]
    return f'{sum(file.stat().st_size for file in files) / 1e6:.1f} MB'
