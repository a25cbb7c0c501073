"""Stored trajectories as files that other programs train on."""
