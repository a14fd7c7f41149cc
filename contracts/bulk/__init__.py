"""The `x-bulk` vocabulary as frozen values. Begin with `model` (Bulk); `declarations` reads them from a document."""
