"""Store and configuration as one file: ``export`` writes it, ``restore`` reads it.

``archive_file`` is the format. ``config_files`` collects the configuration, and removes secrets from its text.
"""
