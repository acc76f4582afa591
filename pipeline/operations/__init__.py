"""What operators do with a running system: look (`status_report`, `timeline`, `checks`), and act on record
(`prepare`, `dead_letters`, `quarantine`, `reviews`), and try the network's next version before it is published
(`provider_check`, `provider_changes`, `what_if`, `scoring_again`). Plain functions; the command line only shows them.
"""
