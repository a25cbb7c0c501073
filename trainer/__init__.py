"""The worker: synthesis of trajectories, masked fine-tuning, evaluation, and the command line."""
