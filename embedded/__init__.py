"""Careroute on one machine with nothing installed: a private broker, and web, workers and clock under one supervisor.

Reading order: `stack` (what runs), `supervisor` (how it is kept running), `valkey` (the broker), `processes` (how one
process is started and stopped), and the two small programs `tether` and `lifeline`, which see to it that nothing
outlives the command that started it, however that command ends.
"""
