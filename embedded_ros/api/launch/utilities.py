"""Helpers under the names that ROS 2 gives them."""

from .launch_description import as_entities
from .substitutions import normalize_to_list_of_substitutions, perform_substitutions

__all__ = ['as_entities', 'normalize_to_list_of_substitutions', 'perform_substitutions']
