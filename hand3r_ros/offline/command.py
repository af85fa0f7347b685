"""The command ``hand3r run``: from its settings to the summary on the terminal."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tqdm import tqdm

from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.frame_step import FrameStepper, Step
from hand3r_ros.offline.inputs import InputImage
from hand3r_ros.offline.live_view import LiveView
from hand3r_ros.offline.output_checks import check_outputs
from hand3r_ros.offline.parts import disk_errors
from hand3r_ros.offline.picture import RunPicture
from hand3r_ros.offline.preparing import Prepared, identity, prepare
from hand3r_ros.offline.report import summary
from hand3r_ros.offline.run import OfflineRun
from hand3r_ros.offline.settings import RunSettings
from hand3r_ros.offline.stopping import stop_on_signals
from hand3r_ros.offline.tally import Tally
from hand3r_ros.offline.work_folder import WorkFolder
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.factory import build_reconstructor, load_hand_model
from hand3r_ros.online.reconstructor import OnlineReconstructor


def run_offline(settings: RunSettings) -> int:
    """Runs to the end; gives the exit code. Raises RunError and what building the reconstruction raises."""
    check_outputs(settings)
    prepared = prepare(settings)
    print(prepared.source.description, flush=True)
    work = WorkFolder(settings.out)
    with disk_errors(work.path):
        progress = work.open(identity(settings, prepared), settings.overwrite)
    try:
        reconstructor = _build(prepared)
        if prepared.parameters.state_file and progress is None:
            reconstructor.load_state(Path(prepared.parameters.state_file).expanduser())
        stepper = FrameStepper(
            reconstructor, prepared.companions, prepared.parameters, settings.node_name, settings.map_seconds
        )
        run = OfflineRun(settings, stepper, work, progress)
        return _run(settings, prepared, run, reconstructor)
    finally:
        work.close()


def _build(prepared: Prepared) -> OnlineReconstructor:
    try:
        return build_reconstructor(prepared.config)
    except DetectorUnavailableError as error:
        raise RunError(f'{error}; hand3r run offers --detector none, and topic for recordings with boxes') from error


def _run(settings: RunSettings, prepared: Prepared, run: OfflineRun, reconstructor: OnlineReconstructor) -> int:
    hand_model = load_hand_model(prepared.config)
    if run.continued_at:
        print(f'continues after {run.continued_at} images of an earlier run', flush=True)
    audience = _Audience(settings, prepared, run, reconstructor, hand_model)
    try:
        with stop_on_signals() as stop_asked:
            images = settings.selection.of(prepared.source.images())
            complete = run.process(images, audience.see, stop_asked)
        audience.end_of_images()
        if not complete:
            print(
                f'stopped after {run.tally.next_image} images; rerun the same command without --overwrite to resume',
                file=sys.stderr,
            )
            return 130
        messages = run.write_result()
        prefix = f'/{settings.node_name.strip("/")}'
        print(summary(run.tally, settings.out, messages, prepared.companions.notes, prefix))
        if settings.save_state is not None:
            _save_state(reconstructor, settings.save_state)
        audience.save_picture(run.tally)
        faults = prepared.source.faults()
        for fault in faults:
            print(f'{fault}; the result holds what could be read', file=sys.stderr)
        audience.stay()
    finally:
        audience.close()
    return 1 if faults else 0


class _Audience:
    """Who follows a run: progress bar, picture and live view."""

    def __init__(
        self,
        settings: RunSettings,
        prepared: Prepared,
        run: OfflineRun,
        reconstructor: OnlineReconstructor,
        hand_model: HandModelData,
    ) -> None:
        self._settings = settings
        self._reconstructor = reconstructor
        self._description = prepared.source.description
        self._picture = None if settings.picture is None else RunPicture(hand_model)
        self._view = LiveView(hand_model) if settings.view else None
        if self._view is not None:
            print(f'live view: open {self._view.address} in a browser', flush=True)
        total = settings.selection.expected(prepared.source.length)
        self._bar = tqdm(total=total, initial=run.continued_at, unit='image', smoothing=0.1, disable=None)

    def see(self, image: InputImage, step: Step | None, tally: Tally) -> None:
        """After every image."""
        self._bar.update()
        ms = 1e3 * tally.seconds / max(1, tally.processed)
        self._bar.set_postfix({'hands': tally.hands, 'ms': f'{ms:.0f}', 'skipped': tally.skipped_images}, refresh=False)
        if step is None:
            return
        if self._picture is not None:
            self._picture.consider(step)
        if self._view is not None:
            self._view.show(image, step, self._reconstructor.map, tally)

    def end_of_images(self) -> None:
        """The bar must not mix with what is printed from now on."""
        self._bar.close()

    def save_picture(self, tally: Tally) -> None:
        """Where one was asked for."""
        if self._picture is None or self._settings.picture is None:
            return
        path = self._settings.picture
        with disk_errors(path):
            saved = self._picture.save(path, self._reconstructor.map, self._description, tally)
        print(f'picture: {path}' if saved else 'no picture: this process placed no image')

    def stay(self) -> None:
        """Leave the page open until Ctrl-C."""
        if self._view is None:
            return
        self._view.show_map(self._reconstructor.map)
        print(f'the live view stays at {self._view.address} until Ctrl-C', flush=True)
        _wait_for_interrupt()

    def close(self) -> None:
        """Stop serving."""
        self._bar.close()
        if self._view is not None:
            self._view.close()


def _save_state(reconstructor: OnlineReconstructor, path: Path) -> None:
    with disk_errors(path):
        reconstructor.save_state(path)
    print(f'session: {path} (a node resumes it with the parameter state_file)')


def _wait_for_interrupt() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
