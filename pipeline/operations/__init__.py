"""What operators do with a running system: look (`status_report`, `timeline`, `checks`), and act on record
(`prepare`, `dead_letters`, `quarantine`). Plain functions; the command line and later a console only show them.
"""
