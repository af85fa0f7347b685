"""The differentiable hand: rotations and betas in, vertices, joints and keypoints out (linear blend skinning by smplx).

Everything comes out relative to the wrist joint, so the caller places a hand by adding one wrist position. Inputs are
right-looking, as the network predicts them; the outputs of left hands are mirrored.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.joints import (
    FINGERTIP_VERTICES,
    JOINT_PARENTS,
    NUM_BETAS,
    NUM_JOINTS,
    NUM_VERTICES,
    OPENPOSE_FROM_MANO,
)
from hand3r_ros.hand_model.mirror import mirror_points


@dataclass(frozen=True)
class HandMesh:
    """Hands in the axes their global orientation rotates to, with the wrist joint at the origin; metres."""

    vertices: Tensor  # [N, 778, 3]
    joints: Tensor  # [N, 16, 3] MANO order
    keypoints: Tensor  # [N, 21, 3] OpenPose order
    rest_root: Tensor  # [N, 3] wrist joint at rest in model axes: MANO's `transl` is wrist position - rest_root


class HandLayer(nn.Module):
    """A hand model as a torch module; holds no parameters, computes in float32."""

    parents: Tensor  # [15] of the joints after the wrist
    fingertips: Tensor  # [5]
    openpose_order: Tensor  # [21]
    root_rest: Tensor  # [3] wrist joint of the mean shape
    root_shift: Tensor  # [3, 10] its change per beta

    def __init__(self, data: HandModelData) -> None:
        super().__init__()
        self.hand_model_id = data.id
        self.data = data
        self.mano = _quiet_mano_layer(data)
        self.register_buffer('parents', torch.tensor(JOINT_PARENTS[1:]), persistent=False)
        self.register_buffer('fingertips', torch.tensor(FINGERTIP_VERTICES), persistent=False)
        self.register_buffer('openpose_order', torch.tensor(OPENPOSE_FROM_MANO), persistent=False)
        regressor = torch.from_numpy(data.J_regressor[0].astype('float64'))
        rest = regressor @ torch.from_numpy(data.v_template.astype('float64'))
        shift = torch.einsum('v,vcb->cb', regressor, torch.from_numpy(data.shapedirs.astype('float64')))
        self.register_buffer('root_rest', rest.float(), persistent=False)
        self.register_buffer('root_shift', shift.float(), persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> HandMesh:
        """Poses N hands (N may be 0).

        Args:
            rotations: [N, 16, 3, 3] global orientation and 15 joint rotations relative to the parent, MANO order,
                right-looking, absolute (the mean pose is not added).
            betas: [N, 10] shape coefficients.
            is_right: [N] bool; False mirrors the outputs (x -> -x).

        Raises:
            ValueError: a shape does not match.
        """
        self._check(rotations, betas, is_right)
        rotations, betas = rotations.float(), betas.float()
        vertices, joints = self._pose(rotations, betas)
        root = self.root_rest + (betas[:, None] * self.root_shift).sum(-1)  # [N, 3]
        points21 = torch.cat([joints, vertices.index_select(1, self.fingertips)], dim=1)  # [N, 21, 3]
        keypoints = points21.index_select(1, self.openpose_order)
        origin = joints[:, :1]  # [N, 1, 3]
        right = is_right.to(torch.bool)[:, None, None]

        def place(points: Tensor) -> Tensor:
            relative = points - origin
            return torch.where(right, relative, mirror_points(relative))

        return HandMesh(
            vertices=place(vertices),
            joints=place(joints),
            keypoints=place(keypoints),
            rest_root=torch.where(right[:, 0], root, mirror_points(root)),
        )

    def _pose(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        if len(rotations) == 0:  # smplx cannot infer its view sizes from an empty batch
            return rotations.new_zeros(0, NUM_VERTICES, 3), rotations.new_zeros(0, NUM_JOINTS, 3)
        from smplx.lbs import lbs

        # Half precision would cost millimetres, so mixed-precision training must not reach in here.
        with torch.autocast(device_type=rotations.device.type, enabled=False):
            mano = self.mano
            return lbs(
                betas,
                rotations,
                mano.v_template,
                mano.shapedirs,
                mano.posedirs,
                mano.J_regressor,
                _KinematicTree(self.parents),
                mano.lbs_weights,
                pose2rot=False,
            )

    def _check(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> None:
        hands = len(rotations)
        expected = {'rotations': (hands, NUM_JOINTS, 3, 3), 'betas': (hands, NUM_BETAS), 'is_right': (hands,)}
        for (name, shape), tensor in zip(expected.items(), (rotations, betas, is_right), strict=True):
            if tuple(tensor.shape) != shape:
                raise ValueError(f'{name} must have shape {shape}, got {tuple(tensor.shape)}')


class _KinematicTree:
    """``parents`` as smplx reads it: one joint's as a number, those after the wrist as a tensor.

    A tensor on a GPU in its place has smplx wait for the GPU once per joint, and rules out CUDA graphs.
    """

    shape = (NUM_JOINTS,)

    def __init__(self, after_wrist: Tensor) -> None:
        self._after_wrist = after_wrist

    def __getitem__(self, key: int | slice) -> int | Tensor:
        if isinstance(key, int):
            return JOINT_PARENTS[key]
        if key != slice(1, None):
            raise IndexError(f'only parents[i] and parents[1:] are known, got {key}')
        return self._after_wrist


def _quiet_mano_layer(data: HandModelData) -> nn.Module:
    """smplx.MANOLayer on arrays in memory; its constructor prints a warning about the ten betas every MANO has."""
    import smplx

    arrays = {name: value.copy() for name, value in asdict(data).items() if name != 'id'}
    with contextlib.redirect_stdout(io.StringIO()):
        layer = smplx.MANOLayer(
            model_path='',
            data_struct=smplx.utils.Struct(**arrays),
            is_rhand=True,
            num_betas=NUM_BETAS,
            create_body_pose=False,
        )
    # Licensed model data must not slip into saved weights.
    for module in layer.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, buffer, persistent=False)
    return layer.requires_grad_(False).eval()
