"""The packages of the distribution, and the file that installs the import finder when Python starts.

Nothing named rclpy is put into site-packages: a copy of `api/` goes into `embedded_ros/`, where only the finder looks.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

START_UP = 'hand3r_embedded_ros.pth'


class BuildWithStartUp(build_py):
    """Puts the start-up file beside the packages, in a wheel and in an editable installation."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            folder = self.get_finalized_command('install').install_lib
        else:
            folder = self.build_lib
            self.copy_tree('api', f'{folder}/embedded_ros/api')
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.copy_file(START_UP, folder)


setup(
    packages=find_packages(include=['embedded_ros', 'embedded_ros.*']),
    # So an editable installation is a folder on sys.path, which wins over the namespace package that a folder
    # `embedded_ros` without code is for Python where the repository itself is on sys.path.
    package_dir={'': '.'},
    package_data={'embedded_ros': ['definitions/*/*/*']},
    cmdclass={'build_py': BuildWithStartUp},
)
