"""Write what was found: pictures, videos, crops, labels and tables."""
