"""Images: views, encodings, conversions, refusals."""

import array

import cv2
import numpy as np
import pytest
from cv_bridge import CvBridge, CvBridgeError
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

BRIDGE = CvBridge()
TYPES = {
    'mono8': (np.uint8, 1),
    'mono16': (np.uint16, 1),
    'rgb8': (np.uint8, 3),
    'bgr8': (np.uint8, 3),
    'rgba8': (np.uint8, 4),
    'bgra8': (np.uint8, 4),
    '8UC1': (np.uint8, 1),
    '8UC3': (np.uint8, 3),
    '16UC1': (np.uint16, 1),
    '32FC1': (np.float32, 1),
    '64FC2': (np.float64, 2),
}


def pixels(encoding, height=6, width=5):
    dtype, channels = TYPES[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize('encoding', TYPES)
def test_pixels_survive_the_message(encoding):
    image = pixels(encoding)
    message = BRIDGE.cv2_to_imgmsg(image, encoding, header=Header(frame_id='camera'))
    assert (message.encoding, message.height, message.width) == (encoding, 6, 5)
    assert message.step == 5 * TYPES[encoding][1] * image.dtype.itemsize and message.header.frame_id == 'camera'
    result = BRIDGE.imgmsg_to_cv2(message)
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, image)
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, encoding), image)


def test_passthrough_is_a_view():
    message = BRIDGE.cv2_to_imgmsg(pixels('rgb8'), 'rgb8')
    BRIDGE.imgmsg_to_cv2(message)[0, 0, 0] = 250
    assert message.data[0] == 250


def test_rows_may_be_padded_and_bytes_swapped():
    image = pixels('16UC1')
    padded = np.zeros((6, 8), '>u2')
    padded[:, :5] = image
    message = Image(height=6, width=5, step=16, encoding='16UC1', is_bigendian=1, data=padded.tobytes())
    result = BRIDGE.imgmsg_to_cv2(message)
    np.testing.assert_array_equal(result, image)
    assert result.dtype == np.uint16 and result.dtype.isnative


@pytest.mark.parametrize(
    ('source', 'target', 'code'),
    [
        ('rgb8', 'bgr8', cv2.COLOR_RGB2BGR),
        ('bgr8', 'rgba8', cv2.COLOR_BGR2RGBA),
        ('bgra8', 'rgb8', cv2.COLOR_BGRA2RGB),
        ('rgba8', 'mono8', cv2.COLOR_RGBA2GRAY),
        ('mono8', 'bgr8', cv2.COLOR_GRAY2BGR),
        ('rgb8', 'mono8', cv2.COLOR_RGB2GRAY),
    ],
)
def test_colours_are_converted(source, target, code):
    image = pixels(source)
    result = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(image, source), target)
    np.testing.assert_array_equal(result, cv2.cvtColor(image, code))


def test_depths_are_converted():
    grey = np.array([[0, 128, 255]], np.uint8)
    wide = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(grey, 'mono8'), 'mono16')
    assert wide.tolist() == [[0, 32896, 65535]]
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(wide, 'mono16'), 'mono8'), grey)
    millimetres = np.array([[1500]], np.uint16)
    depth = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(millimetres, '16UC1'), '32FC1')
    assert depth.dtype == np.float32 and depth[0, 0] == 1500.0


def broken(**changes):
    message = BRIDGE.cv2_to_imgmsg(pixels('rgb8'), 'rgb8')
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ('message', 'target', 'text'),
    [
        (broken(encoding='rgb9'), 'passthrough', 'rgb9'),
        (broken(encoding=''), 'passthrough', 'encoding'),
        (broken(height=7), 'passthrough', '7 rows'),
        (broken(width=6), 'passthrough', 'step 15'),
        (broken(data=array.array('B')), 'passthrough', '0 bytes'),
        (broken(encoding='8UC3'), 'bgr8', 'not a color format'),
        (broken(), '8UC1', 'number of channel'),
        (broken(), 'nonsense', 'nonsense'),
    ],
)
def test_unusable_images_are_refused(message, target, text):
    with pytest.raises(CvBridgeError, match=text):
        BRIDGE.imgmsg_to_cv2(message, target)


def test_pixels_must_fit_the_encoding():
    for image, encoding in ((pixels('rgb8'), 'mono8'), (pixels('32FC1'), 'mono16'), (np.zeros(3, np.uint8), 'mono8')):
        with pytest.raises(CvBridgeError):
            BRIDGE.cv2_to_imgmsg(image, encoding)
    with pytest.raises(CvBridgeError):
        BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.complex64))
    with pytest.raises(CvBridgeError):
        BRIDGE.cv2_to_imgmsg([[1, 2]])
    assert BRIDGE.cv2_to_imgmsg(pixels('rgb8')).encoding == '8UC3'


def test_compressed_images():
    image = pixels('bgr8', 32, 32)
    message = BRIDGE.cv2_to_compressed_imgmsg(image, 'png')
    assert message.format == 'png'
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message), image)
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, 'rgb8'), image[..., ::-1])
    smooth = np.full((32, 32, 3), (10, 100, 200), np.uint8)
    jpeg = BRIDGE.compressed_imgmsg_to_cv2(BRIDGE.cv2_to_compressed_imgmsg(smooth))
    assert np.abs(jpeg.astype(int) - smooth).max() < 5
    with pytest.raises(CvBridgeError, match='cannot decode'):
        BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format='jpeg', data=bytes(message.data[:20])))
    with pytest.raises(CvBridgeError, match='cannot encode'):
        BRIDGE.cv2_to_compressed_imgmsg(image, 'nonsense')
