"""Classification: which class, or which classes, a whole picture belongs to."""
