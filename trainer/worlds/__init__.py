"""What pre-training must know of each environment: how to play it at random and how to tell of it."""
