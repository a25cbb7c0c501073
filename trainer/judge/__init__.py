"""How good a teacher is: its verdicts and corrections beside those of the environment's own expert."""
