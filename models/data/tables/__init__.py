"""Tables of strangers that list pictures: CSV, TSV, JSONL and the like, whatever their columns."""
