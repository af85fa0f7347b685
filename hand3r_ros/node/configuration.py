"""Converts the parameters of the node to the configuration of decoding and reconstruction."""

from __future__ import annotations

from hand3r_ros.imaging.limits import DecodingOptions
from hand3r_ros.node.parameter_fields import setting_values
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.settings import config_from


def decoding_options(parameters: NodeParameters) -> DecodingOptions:
    """What is taken from the parameters to decode images."""
    return config_from(DecodingOptions, setting_values(parameters, DecodingOptions))


def reconstructor_config(parameters: NodeParameters) -> ReconstructorConfig:
    """Everything that the reconstruction takes from the parameters; raises ValueError for what it refuses."""
    return config_from(ReconstructorConfig, setting_values(parameters, ReconstructorConfig))
