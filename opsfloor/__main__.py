"""`python -m opsfloor`, the same as `opsfloor`."""

from opsfloor.cli import main

if __name__ == "__main__":
    main()
