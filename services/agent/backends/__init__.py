"""Back ends: what turns a prompt's ids into an answer's ids. One module each, behind the seam of ``base``."""
