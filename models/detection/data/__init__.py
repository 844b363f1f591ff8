"""Detection data: formats, checks, preparation, statistics, previews. No torch here."""
