"""Tests of rootgen.report."""
