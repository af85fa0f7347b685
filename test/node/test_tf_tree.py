"""How the world is joined to the TF tree of others: one parent for every frame, no loop, and what is said about it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.node.tf_tree import SeenParents, join_world

WORLD, CAMERA = 'hand3r_world', 'camera_optical'
DRIVER = {CAMERA: ['camera_link']}


def test_a_camera_without_parent_becomes_a_child_of_the_world() -> None:
    joint = join_world(WORLD, CAMERA, False, {'base': ['odom']})
    assert (joint.parent, joint.child, joint.problem) == (WORLD, CAMERA, None)


def test_a_camera_that_its_driver_places_gets_the_world_as_a_child_and_it_is_said_what_to_set() -> None:
    joint = join_world(WORLD, CAMERA, False, DRIVER)
    assert (joint.parent, joint.child) == (CAMERA, WORLD)
    for words in (f"'{CAMERA}' in 'camera_link'", 'invert_tf:=true', 'base_frame:=camera_link', 'publish_tf:=false'):
        assert words in (joint.problem or '')


def test_what_is_asked_for_needs_no_word() -> None:
    assert join_world(WORLD, CAMERA, True, DRIVER).problem is None
    assert join_world(WORLD, 'camera_link', False, DRIVER).problem is None  # base_frame:=camera_link


def test_the_base_of_a_robot_with_odometry_keeps_its_parent() -> None:
    robot = {'base_link': ['odom'], CAMERA: ['base_link']}
    joint = join_world(WORLD, 'base_link', False, robot)
    assert (joint.parent, joint.child) == ('base_link', WORLD) and 'base_frame:=odom' in (joint.problem or '')


def test_own_transforms_are_nobody_elses() -> None:
    assert join_world(WORLD, CAMERA, False, {CAMERA: [WORLD]}).problem is None
    own_and_before = {CAMERA: ['camera_link', WORLD], WORLD: [CAMERA]}
    joint = join_world(WORLD, CAMERA, False, own_and_before)
    assert (joint.parent, joint.child) == (CAMERA, WORLD)


def test_nothing_is_published_where_the_camera_is_placed_in_the_world_already() -> None:
    joint = join_world(WORLD, CAMERA, False, {CAMERA: ['camera_link'], 'camera_link': [WORLD]})
    assert not joint.exists and 'pose_source:=tf' in (joint.problem or '')


def test_nothing_is_published_where_both_have_a_parent() -> None:
    joint = join_world(WORLD, CAMERA, False, {**DRIVER, WORLD: ['map']})
    assert not joint.exists and 'world_frame' in (joint.problem or '') and "'map'" in (joint.problem or '')


def loops(parents: dict[str, str], frame: str) -> bool:
    seen = set()
    while frame in parents and frame not in seen:
        seen.add(frame)
        frame = parents[frame]
    return frame in seen


NAMES = [WORLD, CAMERA, 'a', 'b', 'c', 'd']


@given(st.permutations(NAMES), st.lists(st.integers(0, 5), min_size=6, max_size=6), st.booleans())
def test_no_tree_is_torn_apart(order: list[str], above: list[int], inverted: bool) -> None:
    """Whatever tree there is (each frame below one that comes earlier, or below none)."""
    tree = {frame: order[above[i]] for i, frame in enumerate(order) if above[i] < i}
    joint = join_world(WORLD, CAMERA, inverted, {child: [parent] for child, parent in tree.items()})
    if not joint.exists:
        assert WORLD in tree or loops({**tree, WORLD: CAMERA}, WORLD)
        assert joint.problem
        return
    assert {joint.parent, joint.child} == {WORLD, CAMERA}
    others = {child: parent for child, parent in tree.items() if {child, parent} != {WORLD, CAMERA}}
    assert joint.child not in others
    assert not loops({**others, joint.child: joint.parent}, joint.child)


def test_parents_on_tf_are_forgotten_and_those_on_tf_static_are_not() -> None:
    now = [0.0]
    seen = SeenParents(clock=lambda: now[0])
    seen.add('odom', 'base', static=False)
    seen.add('base', 'camera', static=True)
    seen.add('map', 'base', static=False)
    assert seen.parents() == {'base': {'odom', 'map'}, 'camera': {'base'}}
    now[0] = 8.0
    seen.add('odom', 'base', static=False)
    now[0] = 15.0
    assert seen.parents() == {'base': {'odom'}, 'camera': {'base'}}
    now[0] = 1000.0
    assert seen.parents() == {'camera': {'base'}}


def test_a_flood_of_frames_does_not_fill_the_memory() -> None:
    seen = SeenParents()
    for number in range(20_000):
        seen.add('base', f'frame {number}', static=True)
        seen.add(f'parent {number}', 'frame 0', static=True)
    assert len(seen.parents()) <= 5000 and len(seen.parents()['frame 0']) <= 10
