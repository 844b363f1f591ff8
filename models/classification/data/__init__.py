"""Class folders and tables become datasets that training never has to doubt."""
