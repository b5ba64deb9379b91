"""The checks of CAs: whether they answer, their clock and limits, and whether they may issue for the names."""
