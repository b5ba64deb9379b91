"""What every form of the diagnoses shares: the terminal, Markdown and the report say the same words in the same order."""
