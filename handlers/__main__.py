"""`python -m handlers` is `trading-api`."""

from handlers.cli import main

if __name__ == "__main__":
    main()
