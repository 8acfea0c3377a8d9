"""Readers of public data sets in the layout that their authors publish: `load_dataset(name, folder)`."""

from __future__ import annotations

from orchestrion.data.datasets.dataset import Dataset, Entry, Reader, dataset_names, load_dataset

__all__ = ["Dataset", "Entry", "Reader", "dataset_names", "load_dataset"]
