"""rootgen: names of programs in, the smallest root file system that runs them out."""

__version__ = "0.1.0"
