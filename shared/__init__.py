"""What every process imports: the protocol, its errors, trajectories, the store, clients.

Nothing below this package may import torch or FastAPI.
"""
