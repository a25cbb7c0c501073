"""Trajectories that others have published, read into our schema."""
