"""Training configurations: typed, from YAML and overrides; what cannot be meant is named."""

import pytest
import yaml

from hand3r_lab.training.config import TrainingConfig


def written(tmp_path, content):
    path = tmp_path / 'run.yaml'
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_overrides_are_typed():
    config = TrainingConfig('scene').with_overrides(['steps=7', 'learning_rate=1e-3', 'checkpoint_activations=true'])
    assert (config.steps, config.learning_rate, config.checkpoint_activations) == (7, 1e-3, True)


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('camera_hidden=0.1', 'camera_hidden is now called intrinsics_dropout'),
        ('step_count=7', 'unknown step_count; the fields are:.*steps'),
        ('steps=many', "steps must be an integer, got 'many'"),
        ('steps=1.5', 'steps must be an integer'),
        ('checkpoint_activations=perhaps', 'checkpoint_activations must be true or false'),
        ('steps', "'steps' must be NAME=VALUE"),
        ('steps=0', 'steps must be at least 1'),
        ('learning_rate=-1', 'learning_rate must be positive'),
        ('precision=float8', 'precision must be one of'),
        ('stage=all', 'stage must be one of'),
        ('workers=-1', 'workers must not be negative'),
        ('learning_rate=nan', 'learning_rate must be a finite number, got nan'),
        ('gamma=nan', 'gamma must be a finite number'),
        ('weight_pose=inf', 'weight_pose must be a finite number'),
        ('weight_pose=-1', 'weight_pose must not be negative'),
        ('weight_decay=-0.1', 'weight_decay must not be negative'),
        ('gamma=-1', 'gamma must not be negative'),
        ('augmentation=-1', 'augmentation must not be negative'),
        ('confidence_alpha=-1', 'confidence_alpha must not be negative'),
        ('gradient_clip=0', 'gradient_clip must be positive'),
        ('smallest_visible=1.5', 'smallest_visible must lie between 0 and 1'),
        ('intrinsics_dropout=-0.5', 'intrinsics_dropout must lie between 0 and 1'),
        ('seed=-1', 'seed must lie between 0 and 2147483648'),
        ('seed=3000000000', 'seed must lie between 0 and 2147483648'),
    ],
)
def test_a_bad_override_is_named(override, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig('scene').with_overrides([override])


@pytest.mark.parametrize(
    ('overrides', 'both'),
    [
        (['clip_frames=4', 'truncate_frames=5'], r'truncate_frames \(5\).*clip_frames \(4\)'),
        (['train_backbone=false'], 'train_backbone=false needs start_from'),
        (['checkpoint_activations=true'], "checkpoint_activations does nothing in stage 'hand'"),
        (['stage=detector', 'checkpoint_activations=true'], "checkpoint_activations does nothing in stage 'detector'"),
        (['stage=fused_head', 'cuda_graphs=true'], "cuda_graphs=true is for stages scene, .*'fused_head' varies"),
        (['stage=scene', 'cuda_graphs=true', 'truncate_frames=2'], r'cuda_graphs=true needs truncate_frames=0 \(got 2'),
    ],
)
def test_contradictions_name_both_fields(overrides, both):
    with pytest.raises(ValueError, match=both):
        TrainingConfig('hand').with_overrides(overrides)


def test_a_saved_configuration_is_read_back(tmp_path):
    config = TrainingConfig('hand').with_overrides(['steps=7', 'learning_rate=1e-3', 'data=elsewhere'])
    config.save(tmp_path / 'run.yaml')
    assert TrainingConfig.load(tmp_path / 'run.yaml', 'hand') == config


def test_a_file_may_leave_fields_out_and_write_numbers_as_people_do(tmp_path):
    config = TrainingConfig.load(written(tmp_path, 'learning_rate: 1e-3\nsteps: 9\nweight_pose: 2\n'), 'scene')
    assert (config.learning_rate, config.steps, config.weight_pose) == (1e-3, 9, 2.0)
    assert config.batch == TrainingConfig('scene').batch


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('steps: [', 'is no YAML file'),
        ('just words', 'must hold NAME: VALUE lines'),
        ({'stage': 'hand'}, "for stage 'hand', not 'scene'"),
        ({'stepz': 3}, 'run.yaml: unknown stepz'),
        ({'steps': 'many'}, 'run.yaml: steps must be an integer'),
        ({'steps': True}, 'steps must be an integer'),
        ('steps: 3\nbatch: 2\nsteps: 4\n', 'run.yaml: steps is given twice, again in line 3'),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig.load(written(tmp_path, content), 'scene')


def test_paths_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', '/home/somebody')
    config = TrainingConfig.load(written(tmp_path, {'out': '~/runs', 'data': 'rendered://train'}), 'fusion')
    config = config.with_overrides(['start_from=~/w/tiny.safetensors'])
    assert (config.out, config.data) == ('/home/somebody/runs', 'rendered://train')
    assert config.start_from == '/home/somebody/w/tiny.safetensors'
