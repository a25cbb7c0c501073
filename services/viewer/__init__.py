"""Pages for people over what runs leave behind: how far they are, what they found, every trajectory. It only reads."""
