"""What the runner ``tests/run`` adds to pytest."""
