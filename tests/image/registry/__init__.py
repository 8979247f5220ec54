"""Registries: real ones and hostile ones."""
