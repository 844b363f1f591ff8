"""What a classifier is worth: accuracy, F1, calibration, risk and coverage."""
