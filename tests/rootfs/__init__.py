"""Tests of rootgen.rootfs."""
