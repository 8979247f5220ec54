"""Tests of the ELF room."""
