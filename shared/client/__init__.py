"""Clients of an environment server: asynchronous, synchronous, and (``shared.client.gym``) Gymnasium's interface."""

from shared.client.environment import EnvironmentClient
from shared.client.episode import RemoteEpisode
from shared.client.sync import SyncEnvironmentClient, SyncEpisode
from shared.client.transport import RetryPolicy

__all__ = ["EnvironmentClient", "RemoteEpisode", "RetryPolicy", "SyncEnvironmentClient", "SyncEpisode"]
