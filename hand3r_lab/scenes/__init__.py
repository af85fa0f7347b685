"""Rendered hand-object scenes with exact ground truth, drawn on the CPU without OpenGL."""
