"""Writes what a run has come to: summary.txt, summary.json and picture.png in one folder."""

from __future__ import annotations

import json
from pathlib import Path

from hand3r_lab.demo.accuracy import measure
from hand3r_lab.demo.collector import Collector
from hand3r_lab.demo.run_picture import draw_run
from hand3r_lab.demo.summary import as_numbers, as_text, summarize
from hand3r_ros.visualization.picture import save_picture


def write_results(collector: Collector, folder: Path, title: str, recording: str = '', mirrored: bool = False) -> str:
    """The summary as text, which is also in the folder.

    Args:
        collector: what was seen of the run; at least one result.
        folder: is made where it is missing.
        title: second part of the title of the picture.
        recording: where the recording is, for the summary; empty: there is none.
        mirrored: the images are mirrored left to right, as the node was told.

    """
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    summary = summarize(collector.run, measure(collector.run))
    places = {'recording': recording} if recording else {}
    (folder / 'summary.json').write_text(json.dumps(as_numbers(summary), indent=1))
    picture = draw_run(collector, summary, title, mirrored)
    if picture is not None:
        save_picture(folder / 'picture.png', picture)
        places['picture'] = str(folder / 'picture.png')
    text = as_text(summary, {**places, 'numbers': str(folder / 'summary.json')})
    (folder / 'summary.txt').write_text(text.strip() + '\n')
    return text
