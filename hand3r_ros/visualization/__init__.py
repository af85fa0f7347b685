"""Pictures of results, drawn on the CPU without OpenGL and without ROS: overlays, 3D views and the demo's picture."""
