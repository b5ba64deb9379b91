"""Files that a person names are written through no link of another user, and into no file of his."""

from __future__ import annotations
