"""Tests of ldso."""
