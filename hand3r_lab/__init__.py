"""What a robot never needs: rendered scenes, datasets, training, evaluation, benchmark, the open hand's build, demo."""
