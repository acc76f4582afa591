"""`python -m cli` is `careroute`."""

from cli import main

main()
