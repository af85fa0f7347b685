"""Installs the ament_python package hand3r_ros."""

from glob import glob

from setuptools import find_packages, setup

package_name = 'hand3r_ros'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[f'{name}{part}' for name in (package_name, 'hand3r_lab') for part in ('', '.*')]),
    package_data={package_name: ['hand_model/data/*', 'py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
        ('share/' + package_name + '/launch', glob('launch/*.launch.py')),
        ('share/' + package_name + '/config', glob('config/*.yaml')),
        ('share/' + package_name + '/config/training', glob('config/training/*.yaml')),
        ('share/' + package_name + '/rviz', glob('rviz/*.rviz')),
        ('share/' + package_name + '/weights', glob('weights/*.*')),
    ],
    zip_safe=False,
    python_requires='>=3.10',
    author='hand3r_ros maintainers',
    maintainer='hand3r_ros maintainers',
    maintainer_email='hand3r-ros@users.noreply.github.com',
    description='Camera pose, metric scene and two-hand meshes from one RGB camera, online, for ROS 2.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'hand3r = hand3r_ros.cli:main',
            'hand3r-lab = hand3r_lab.cli:main',
            'hand3r_node = hand3r_ros.node.executables:hand3r_node',
            'camera_player = hand3r_ros.node.executables:camera_player',
            'rendered_camera = hand3r_lab.demo.executables:rendered_camera',
            'demo_monitor = hand3r_lab.demo.executables:demo_monitor',
            'live_viewer = hand3r_ros.node.executables:live_viewer',
        ],
    },
)
