"""ALFWorld: household tasks in text, interpreted from the rules and the grammar of each game."""
