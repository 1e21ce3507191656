"""The promises of a floor, judged from outside: on the bus by the demo and the fault tests, in the tables by `opsfloor prove`."""
