"""The type of arguments that may be text, substitutions or a list of these."""

from .substitutions import SomeSubstitutionsType

__all__ = ['SomeSubstitutionsType']
