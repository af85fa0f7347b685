"""Raw CDR bytes to a DDS writer and from a DDS reader."""

import ctypes
from typing import Any

import numpy as np
from cyclonedds._clayer import ddspy_take
from cyclonedds.core import DDSException, Entity, InstanceState, SampleState, ViewState
from cyclonedds.internal import DDS
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader

ANY_STATE = SampleState.Any | ViewState.Any | InstanceState.Any
DDS_ALIGNMENT = 4


class _SampleContainer(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p), ('size', ctypes.c_size_t)]


_dds_write = DDS._dll_handle.dds_write
_dds_write.argtypes = [ctypes.c_int32, ctypes.c_void_p]
_dds_write.restype = ctypes.c_int32


def write(writer: DataWriter, data: bytes | memoryview) -> None:
    """Publish CDR bytes. Unlike cyclonedds' own binding, a ctypes call lets other threads run while DDS sends."""
    payload = np.frombuffer(data, np.uint8)
    if payload.nbytes % DDS_ALIGNMENT:
        payload = np.concatenate([payload, np.zeros(-payload.nbytes % DDS_ALIGNMENT, np.uint8)])
    container = _SampleContainer(payload.ctypes.data, payload.nbytes)
    code = _dds_write(writer._ref, ctypes.byref(container))
    if code < 0:
        raise DDSException(code, 'while publishing')


def take(reader: DataReader) -> tuple[bytes, Any] | None:
    """Take the oldest waiting sample: (CDR bytes, sample info), or None when there is none."""
    while True:
        samples = ddspy_take(reader._ref, ANY_STATE, 1)
        if isinstance(samples, int):
            raise DDSException(samples, 'while taking a sample')
        if not samples:
            return None
        if samples[0][1].valid_data:  # the others only tell that a writer went away
            return samples[0]


def delete(entity: Entity) -> None:
    """Delete a DDS entity now rather than when it is garbage collected."""
    entity.__del__()
