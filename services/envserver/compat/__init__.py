"""Other projects' protocols, as thin translations of our sessions: their clients drive our servers unchanged."""
