"""Models, one folder a family: configuration_, feature_extraction_, processing_ and modeling_ files."""
