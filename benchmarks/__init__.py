"""rootgen beside its peers, paired in one run: ``python -m benchmarks.make``, ``….run``."""
