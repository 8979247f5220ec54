"""The default filters, compiled beforehand: made by ``python -m tests.tools.ready_filters``."""
