"""Generated message classes: what they accept, and what travels."""

import array
import copy
import math
import pickle
import struct

import numpy as np
import pytest
from geometry_msgs.msg import Pose, TransformStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from std_srvs.srv import Empty, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray

from hand3r_msgs.msg import Hand3RStatus, HandMesh, HandMeshArray, HandTopology
from hand3r_msgs.srv import SaveMap


def test_fields_start_with_defaults():
    mesh = HandMesh()
    assert mesh.hand_model == '' and mesh.track_id == 0 and mesh.score == 0.0
    assert mesh.bbox.dtype == np.float32 and mesh.bbox.shape == (4,)
    assert mesh.vertices == array.array('f')
    assert mesh.header.frame_id == '' and mesh.wrist == Pose()
    assert Pose().orientation.w in (0.0, 1.0)


def test_constructor_takes_keywords_only_of_known_fields():
    assert Image(height=3, encoding='rgb8').height == 3
    with pytest.raises(AssertionError, match='heigth'):
        Image(heigth=3)


def test_constants_and_field_types_follow_the_definition():
    assert (HandMesh.LEFT, HandMesh.RIGHT, Hand3RStatus.LOST) == (0, 1, 2)
    types = HandMesh.get_fields_and_field_types()
    assert types['bbox'] == 'float[4]' and types['vertices'] == 'sequence<float>'
    assert types['header'] == 'std_msgs/Header'
    assert HandMeshArray.get_fields_and_field_types()['hands'] == 'sequence<hand3r_msgs/HandMesh>'


@pytest.mark.parametrize(
    ('message', 'field', 'value'),
    [
        (Image, 'height', -1),
        (Image, 'height', 2**32),
        (Image, 'height', np.int64(4)),
        (Image, 'height', 4.0),
        (Image, 'encoding', b'rgb8'),
        (Image, 'header', Pose()),
        (Image, 'data', np.zeros(4, np.uint8)),
        (Image, 'data', array.array('b', [1])),
        (Image, 'data', [256]),
        (HandMesh, 'score', 1),
        (HandMesh, 'score', np.float32(1)),
        (HandMesh, 'score', 1e39),
        (HandMesh, 'bbox', [1.0, 2.0, 3.0]),
        (HandMesh, 'bbox', np.zeros(4, np.float64)),
        (HandMeshArray, 'hands', [Pose()]),
        (HandTopology, 'keypoint_names', 'wrist'),
        (HandTopology, 'keypoint_names', [1]),
    ],
)
def test_wrong_values_are_refused_by_name_of_the_field(message, field, value):
    with pytest.raises(AssertionError, match=f"'{field}'"):
        setattr(message(), field, value)


@pytest.mark.parametrize('value', [b'\x01\x02', [1, 2], array.array('B', [1, 2]), memoryview(b'\x01\x02')])
def test_byte_sequences_become_arrays(value):
    assert Image(data=value).data == array.array('B', [1, 2])


def test_equality_compares_contents():
    one, other = HandMesh(score=0.5), HandMesh(score=0.5)
    assert one == other and one != Pose()
    other.betas = np.arange(10, dtype=np.float32)
    assert one != other


def test_messages_can_be_copied_and_pickled():
    mesh = HandMesh(vertices=array.array('f', [1, 2, 3]))
    twin = copy.deepcopy(mesh)
    assert twin == mesh and pickle.loads(pickle.dumps(mesh)) == mesh  # noqa: S301 - its own bytes
    twin.vertices[0] = 9.0
    assert mesh.vertices[0] == 1.0


# The checks of ROS 2 know the largest number to ten digits: the very last ones below it are refused.
finite = st.floats(allow_nan=False, width=32).filter(lambda number: abs(number) <= 3.402823466e38 or math.isinf(number))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']), max_size=8),
            finite,
            st.lists(finite, max_size=7),
        ),
        max_size=3,
    ),
    st.integers(-(2**31), 2**31 - 1),
)
def test_nested_messages_survive_serialization(hands, track_id):
    message = HandMeshArray()
    message.hands = [
        HandMesh(hand_model=name, score=score, track_id=track_id, vertices=array.array('f', points))
        for name, score, points in hands
    ]
    assert deserialize_message(bytes(serialize_message(message)), HandMeshArray) == message


def test_cdr_of_a_string_is_the_standard_one():
    expected = b'\x00\x01\x00\x00' + struct.pack('<I', 6) + b'hello\x00'
    assert bytes(serialize_message(String(data='hello')))[: len(expected)] == expected


def test_big_endian_data_is_understood():
    data = b'\x00\x00\x00\x00' + struct.pack('>I', 3) + b'hi\x00'
    assert deserialize_message(data, String).data == 'hi'


def test_not_a_number_travels_in_sequences():
    message = CameraInfo(d=[math.nan, 1.0])
    assert math.isnan(deserialize_message(bytes(serialize_message(message)), CameraInfo).d[0])


def test_services_have_request_and_response():
    assert SaveMap.Request(path='map.ply').path == 'map.ply'
    assert SaveMap.Response.get_fields_and_field_types()['points'] == 'uint64'
    assert Trigger.Response(success=True, message='ok').success
    assert deserialize_message(bytes(serialize_message(Empty.Request())), Empty.Request) == Empty.Request()


def test_vision_messages_are_there():
    detection = Detection2D(id='left')
    detection.bbox.center.position.x = 4.5
    message = Detection2DArray(detections=[detection])
    assert deserialize_message(bytes(serialize_message(message)), Detection2DArray) == message


def test_transform_message_round_trip():
    transform = TransformStamped(child_frame_id='camera')
    transform.transform.rotation.w = 1.0
    assert deserialize_message(bytes(serialize_message(transform)), TransformStamped) == transform
