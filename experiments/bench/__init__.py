"""The benchmarks of the package: ``make bench``."""
