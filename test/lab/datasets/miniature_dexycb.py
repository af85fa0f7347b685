"""Writes a miniature of DexYCB in its published layout from rendered scenes, so that every label is exactly known.

Run as a script to look at one: ``python test/lab/datasets/miniature_dexycb.py FOLDER``.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml
from miniature_mano import model_of, rest_root
from scipy.spatial.transform import Rotation

from hand3r_lab.datasets.dexycb_layout import HEIGHT, SERIALS, WIDTH
from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform
from hand3r_ros.hand_model.joints import DEXYCB_FINGERTIP_VERTICES
from hand3r_ros.hand_model.sides import HandSide

FRAMES = 3
CAMERAS = SERIALS[:2]
SEQUENCES = {  # folder -> side
    '20200709-subject-01/20200709_141754': HandSide.RIGHT,
    '20200813-subject-02/20200813_143449': HandSide.LEFT,
}
FIRST_SEED = 16
INTRINSICS = {
    SERIALS[0]: Intrinsics(612.3, 611.2, 318.4, 241.7, WIDTH, HEIGHT),
    SERIALS[1]: Intrinsics(598.6, 599.9, 322.5, 236.1, WIDTH, HEIGHT),
}
MISSING_LABEL = ('20200813-subject-02/20200813_143449', SERIALS[1], 2)
EXTRINSICS = '20200702_151821'
LEFT_TIPS = (745, 317, 445, 556, 673)

Truth = dict[tuple[str, str, int], RenderedFrame]


@dataclasses.dataclass(frozen=True)
class DexYCBMiniature:
    root: Path
    truth: Truth


def write_dexycb(root: Path) -> Truth:
    """The miniature's files; returns the rendered truth of every image."""
    truth: Truth = {}
    for folder, side in SEQUENCES.items():
        for serial, rendered in clear_views(side).items():
            for index, frame in enumerate(rendered):
                truth[folder, serial, index] = frame
                write_frame(root / folder / serial, index, frame, (folder, serial, index) == MISSING_LABEL)
        write_meta(root / folder, side)
        write_calibration(root, folder.split('/')[0], [truth[folder, serial, 0] for serial in CAMERAS])
    return truth


def clear_views(side: HandSide) -> dict[str, list[RenderedFrame]]:
    """Views of the first scene with a hand that is well seen all the time, and not so near that perspective warps it.

    Which scene that is changes whenever the rendered scenes do.
    """
    for seed in range(FIRST_SEED, FIRST_SEED + 100):
        views = render_views(seed, side)
        hands = [frame.hands for frames in views.values() for frame in frames]
        clear = all(len(seen) == 1 and seen[0].visible_fraction > 0.6 for seen in hands)
        if clear and all(seen[0].wrist_camera[2] > 0.4 for seen in hands):
            return views
    raise AssertionError('no rendered scene shows its hand clearly')


def render_views(seed: int, side: HandSide) -> dict[str, list[RenderedFrame]]:
    """The same scene seen by two cameras that stand still."""
    config = SceneConfig(WIDTH, HEIGHT, FRAMES, 5.0, 'third_person', side.name.lower(), effects=False)
    sequence = Sequence(seed, config)
    first = sequence.T_world_camera[0]
    aside = make_transform(Rotation.from_euler('xyz', [4.0, -7.0, 3.0], degrees=True).as_matrix(), [0.08, 0.03, -0.02])
    views = {}
    for serial, T_world_camera in zip(CAMERAS, (first, first @ aside), strict=True):
        still = np.repeat(T_world_camera[None], FRAMES, axis=0)
        sequence._camera = dataclasses.replace(sequence._camera, T_world_camera=still, intrinsics=INTRINSICS[serial])
        views[serial] = [sequence.frame(index) for index in range(FRAMES)]
    return views


def write_frame(folder: Path, index: int, frame: RenderedFrame, without_label: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    color = np.ascontiguousarray(frame.image[..., ::-1])
    cv2.imwrite(str(folder / f'color_{index:06d}.jpg'), color, [cv2.IMWRITE_JPEG_QUALITY, 95])
    depth = np.rint(frame.depth * 1000.0).astype(np.uint16)
    cv2.imwrite(str(folder / f'aligned_depth_to_color_{index:06d}.png'), depth)
    (hand,) = frame.hands
    seg = np.where(frame.segmentation == hand.instance_id, 255, 0).astype(np.uint8)
    objects = np.eye(4)[None, :3].repeat(2, 0).astype(np.float32)
    if without_label:
        pose, joints, pixels = np.zeros((1, 51)), np.full((1, 21, 3), -1.0), np.full((1, 21, 2), -1.0)
    else:
        pose, joints, pixels = hand_label(hand, frame.intrinsics)
    arrays = {'pose_m': pose, 'joint_3d': joints, 'joint_2d': pixels}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    np.savez_compressed(folder / f'labels_{index:06d}.npz', seg=seg, pose_y=objects, **arrays)


def hand_label(hand: HandTruth, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pose_m (1, 51), joint_3d (1, 21, 3), joint_2d (1, 21, 2)."""
    model = model_of(hand.side)
    axis_angle = Rotation.from_matrix(hand.rotations).as_rotvec()
    coefficients = np.linalg.solve(model.hands_components.T.astype(float), axis_angle[1:].ravel() - model.hands_mean)
    translation = hand.wrist_camera - rest_root(hand.side, hand.betas)
    joints = annotated_keypoints(hand)
    pixels = joints[:, :2] / joints[:, 2:] * [intrinsics.fx, intrinsics.fy] + [intrinsics.cx, intrinsics.cy]
    return np.concatenate([axis_angle[0], coefficients, translation])[None], joints[None], pixels[None]


def annotated_keypoints(hand: HandTruth) -> np.ndarray:
    """(21, 3) with the fingertips of the data set's annotation tool."""
    keypoints = hand.keypoints_camera.copy()
    tips = DEXYCB_FINGERTIP_VERTICES if hand.side == HandSide.RIGHT else LEFT_TIPS
    keypoints[[4, 8, 12, 16, 20]] = hand.vertices_camera[list(tips)]
    return keypoints


def write_meta(folder: Path, side: HandSide) -> None:
    subject = folder.parent.name
    meta = {
        'serials': list(CAMERAS),
        'num_frames': FRAMES,
        'extrinsics': f'{EXTRINSICS}_{subject}',
        'mano_calib': [subject],
        'mano_sides': [side.name.lower()],
        'ycb_ids': [1, 11],
        'ycb_grasp_ind': 0,
    }
    (folder / 'meta.yml').write_text(yaml.safe_dump(meta))


def write_calibration(root: Path, subject: str, views: list[RenderedFrame]) -> None:
    calibration = root / 'calibration'
    poses = {
        serial: (invert_transform(views[0].T_world_camera) @ view.T_world_camera)[:3].ravel().tolist()
        for serial, view in zip(CAMERAS, views, strict=True)
    }
    poses['apriltag'] = np.eye(4)[:3].ravel().tolist()
    # The published files store tuples, which plain YAML does not know.
    lines = ['extrinsics:']
    for serial, numbers in poses.items():
        lines += [f"  '{serial}': !!python/tuple", *(f'  - {number!r}' for number in numbers)]
    _write(
        calibration / f'extrinsics_{EXTRINSICS}_{subject}/extrinsics.yml',
        '\n'.join([*lines, f"master: '{CAMERAS[0]}'"]),
    )
    betas = views[0].hands[0].betas.tolist()
    _write(calibration / f'mano_{subject}/mano.yml', yaml.safe_dump({'betas': betas}))
    for serial in SERIALS:
        camera = INTRINSICS.get(serial, INTRINSICS[CAMERAS[0]])
        color = {'fx': camera.fx, 'fy': camera.fy, 'ppx': camera.cx, 'ppy': camera.cy}
        _write(
            calibration / f'intrinsics/{serial}_{WIDTH}x{HEIGHT}.yml', yaml.safe_dump({'color': color, 'depth': color})
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == '__main__':
    write_dexycb(Path(sys.argv[1]))
