"""Teachers: who judges a student's steps and writes the repairs."""
