"""The configurations in config/training are what the stages accept, and the documents name them."""

from pathlib import Path

import pytest
import yaml

from hand3r_lab.training.config import TrainingConfig

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / 'config' / 'training').glob('*.yaml'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_every_shipped_configuration_loads(file):
    content = yaml.safe_load(file.read_text())
    config = TrainingConfig.load(file, content['stage'])
    assert config.preset in file.stem
    assert all(
        getattr(config, name) == pytest.approx(float(value)) for name, value in content.items() if name == 'batch'
    )


def test_the_guide_names_every_shipped_configuration():
    guide = (ROOT / 'docs' / 'training.md').read_text()
    assert FILES
    assert [file.name for file in FILES if file.name not in guide] == []
