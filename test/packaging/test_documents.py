"""The documents agree with the code, and their links and pictures exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.md', 'docs/**/*.md', 'weights/*.md', 'embedded_ros/*.md')
    for path in ROOT.glob(pattern)
)


def test_the_parameter_page_and_the_parameter_file_are_what_the_node_declares():
    spec = importlib.util.spec_from_file_location('write_parameter_docs', ROOT / 'scripts' / 'write_parameter_docs.py')
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    page = (ROOT / 'docs' / 'parameters.md').read_text()
    assert page == writer.document(), 'run scripts/write_parameter_docs.py'
    written = (ROOT / 'config' / 'hand3r.yaml').read_text()
    assert written == writer.parameter_file(), 'run scripts/write_parameter_docs.py'


@pytest.mark.parametrize('document', DOCUMENTS)
def test_relative_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r'\]\(([^)#\s]+)', path.read_text()):
        if '://' not in target:
            assert (path.parent / target).exists(), f'{document} links to {target}'


def test_every_topic_of_the_node_is_in_the_readme():
    readme = (ROOT / 'README.md').read_text()
    outputs = (ROOT / 'hand3r_ros' / 'node' / 'topics.py').read_text()
    services = (ROOT / 'hand3r_ros' / 'node' / 'services.py').read_text()
    names = set(re.findall(r"'(~/[a-z_/]+)'", outputs + services))
    assert {'~/hands', '~/map', '~/reset'} <= names
    assert not {name for name in names if f'`{name}`' not in readme}
