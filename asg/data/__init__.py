"""Data sets and batches. Nothing here needs a compiler: only NumPy and the standard library."""

from asg.data.catalogue import load as load
from asg.data.catalogue import names as names
from asg.data.dataset import Dataset as Dataset
from asg.data.loader import DataLoader as DataLoader
