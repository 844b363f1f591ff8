"""What readings are worth: exact match, edit distance, confusions, precision and coverage."""
