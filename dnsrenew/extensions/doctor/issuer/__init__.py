"""The checks of CAs: whether one answers, by its clock and its limits, and whether it may issue for the names."""
