"""What all forms of the diagnoses share: terminal, Markdown and report say the same words in the same order."""
