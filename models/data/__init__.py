"""Data code that every task family shares: fetching, archives, picture checks, splits."""
