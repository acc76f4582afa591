"""The stages as lanes run them: load a batch, work on each row as a pure function, record into one unit of work."""
