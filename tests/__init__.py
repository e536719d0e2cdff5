"""The tests of asg; the folders mirror those of the source."""
