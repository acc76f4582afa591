"""Chaos: the whole system under load while everything in it dies, then a judgement from outside (docs/chaos.md).

plan        which fault hits whom, and when: the same for the same seed
system      servers and processes of one run; `shifted` is a worker with a clock of its own, `mail_provider` is SendGrid
arrivals    what is sent; `client` sends it, `referees` answer referrals as providers do
conductor   does what is planned, and starts again what died
evidence    what everyone says afterwards: clients, mail provider, database
oracle      whether it adds up; `replay` does so for providers' capacity, `story` tells the first bad submission
run         all of it, in order; `python -m tests.chaos` is its command
"""
