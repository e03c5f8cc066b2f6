"""`python -m budget`: the command line, for when `budget` is not on the path."""

from budget.cli.app import main

if __name__ == "__main__":
    main()
