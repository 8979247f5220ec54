"""Tests of rootgen.layer."""
